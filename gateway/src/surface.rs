//! All endpoints.

use std::collections::HashSet;

use guildhall_runtime::{Error, Result};

use crate::{
    compat::{mudbase, sendbird},
    contract::Contract,
    endpoint::{Bound, EndpointInfo},
    openapi, rest,
};

/// All endpoints with their rows, in the order of the contract.
///
/// # Errors
/// A broken build: a row that cannot be read, an endpoint that differs from its row, or two of one row.
pub fn endpoints() -> Result<Vec<Bound>> {
    let contract = Contract::load()?;
    let mut served = HashSet::new();
    let declared = [
        rest::authentication::endpoints(),
        rest::api_keys::endpoints(),
        rest::channels::endpoints(),
        rest::messages::endpoints(),
        rest::reactions::endpoints(),
        rest::webhooks::endpoints(),
        sendbird::messages::endpoints(),
        sendbird::reactions::endpoints(),
        mudbase::messages::endpoints(),
        mudbase::reactions::endpoints(),
        rest::operations::endpoints(openapi_json),
    ];
    let bound = declared.into_iter().flatten().map(|endpoint| {
        let endpoint = endpoint.bind(&contract)?;
        match served.insert(endpoint.row.id) {
            true => Ok(endpoint),
            false => Err(Error::bug(format!("{} is served twice", endpoint.row.id))),
        }
    });
    bound.collect()
}

/// What is public about every endpoint that has a row in the contract.
///
/// # Errors
/// A broken build, as above.
pub fn infos() -> Result<Vec<EndpointInfo>> {
    let endpoints = endpoints()?;
    let listed = endpoints.iter().filter(|endpoint| endpoint.is_listed);
    Ok(listed.map(Bound::info).collect())
}

/// The OpenAPI document as it is committed: pretty, in a stable order, with a newline at the end.
///
/// # Errors
/// A broken build, as above.
pub fn openapi_json() -> Result<String> {
    let document = openapi::document(&endpoints()?)?;
    let mut json = document.to_pretty_json().map_err(Error::internal)?;
    json.push('\n');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use guildhall_auth::{AccessRule, RpcTable};

    use super::*;

    #[test]
    fn no_route_lets_in_whom_its_rpc_refuses() {
        let table = RpcTable::load().unwrap();
        for endpoint in infos().unwrap() {
            let Some(rpc) = endpoint.rpc else { continue };
            let rule = table
                .get(rpc)
                .unwrap_or_else(|| panic!("{}: {rpc}", endpoint.id));
            match (&endpoint.access, rule.access.as_ref()) {
                (AccessRule::Public, AccessRule::Public) => {}
                (
                    AccessRule::Credential {
                        kinds, permission, ..
                    },
                    AccessRule::Credential {
                        kinds: taken,
                        permission: needed,
                        ..
                    },
                ) => {
                    assert!(
                        kinds.iter().all(|kind| taken.contains(kind)),
                        "{}",
                        endpoint.id
                    );
                    // The facades' credentials carry no permissions: nothing is asked of them.
                    assert!(
                        permission.is_none() || permission == needed,
                        "{}",
                        endpoint.id
                    );
                }
                (ours, theirs) => panic!("{}: {ours:?} in front of {theirs:?}", endpoint.id),
            }
        }
    }

    #[test]
    fn no_two_schemas_share_a_name() {
        let mut known = HashMap::new();
        for endpoint in endpoints().unwrap() {
            for (name, schema) in endpoint.documentation.schemas() {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name}");
            }
        }
    }
}
