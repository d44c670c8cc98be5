//! All endpoints.

use crate::{
    compat::{mudbase, sendbird},
    endpoint::{Endpoint, EndpointInfo},
    rest,
};

/// All endpoints, in the order of the contract.
pub fn endpoints() -> Vec<Endpoint> {
    [
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
        rest::operations::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is public about every endpoint that has a row in the contract.
#[must_use]
pub fn infos() -> Vec<EndpointInfo> {
    let endpoints = endpoints();
    let listed = endpoints
        .iter()
        .filter(|endpoint| endpoint.declaration.listed);
    listed.map(Endpoint::info).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use guildhall_auth::{AccessRule, RpcTable};

    use super::*;

    #[test]
    fn a_row_is_served_once() {
        let mut ids = HashSet::new();
        assert!(infos().iter().all(|endpoint| ids.insert(endpoint.id)));
    }

    #[test]
    fn no_route_lets_in_whom_its_rpc_refuses() {
        let table = RpcTable::load().unwrap();
        for endpoint in infos() {
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
}
