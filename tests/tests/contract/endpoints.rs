//! The contract's list of endpoints against what the gateway serves and documents.

use guildhall_auth::{AccessRule, CredentialKind, Role, RpcTable, permission};
use guildhall_gateway::EndpointInfo;
use guildhall_tests::{Differences, OPERATIONS, row, row::Row};
use serde_json::Value;

/// What this release serves; a route that is lost is missed here.
const SERVED: &[&str] = &[
    "auth-login",
    "apikeys-info",
    "channels-list",
    "channels-create",
    "messages-list",
    "messages-get",
    "messages-send",
    "messages-reply",
    "messages-react",
    "reactions-list",
    "reactions-remove",
    "sb-messages-send",
    "sb-messages-get",
    "sb-messages-list",
    "sb-reactions-add",
    "sb-reactions-remove",
    "sb-reactions-list",
    "mb-messages-send",
    "mb-messages-list",
    "mb-reactions-add",
    "mb-reactions-remove",
    "webhooks-out-list",
    "webhooks-out-create",
    "webhooks-out-get",
    "webhooks-out-update",
    "webhooks-out-delete",
    "webhooks-out-deliveries",
    "webhooks-out-redeliver",
    "webhooks-out-delivery-get",
    "webhooks-out-recover",
    "webhooks-out-test",
    "webhooks-in-receive",
    "webhooks-in-list",
    "webhooks-in-create",
    "webhooks-in-get",
    "webhooks-in-update",
    "webhooks-in-delete",
    "workflows-handshake",
    "workflows-event",
    "gateway-health",
    "gateway-ready",
    "gateway-openapi",
];

fn row_of(id: &str) -> Row {
    let found = row::all().into_iter().find(|row| row.id == id);
    found.unwrap_or_else(|| panic!("{id} is not in the contract"))
}

fn served() -> Vec<EndpointInfo> {
    guildhall_gateway::endpoints().unwrap()
}

#[test]
fn exactly_the_endpoints_of_this_release_are_served() {
    let mut differences = Differences::default();
    let endpoints = served();
    for endpoint in &endpoints {
        let is_listed = SERVED.contains(&endpoint.id);
        differences.expect(is_listed, endpoint.id, "it is served, and SERVED lacks it");
    }
    for id in SERVED {
        let is_served = endpoints.iter().any(|endpoint| endpoint.id == *id);
        let what = "it is in SERVED, and not served: is its area in gateway/src/surface.rs?";
        differences.expect(is_served, *id, what);
    }
    differences.assert_none();
}

#[test]
fn method_path_and_aliases_are_those_of_the_contract() {
    let mut differences = Differences::default();
    for endpoint in served() {
        let row = row_of(endpoint.id);
        let right = endpoint.method == row.method
            && endpoint.path == row.path
            && endpoint.aliases == row.aliases;
        differences.expect(right, endpoint.id, format!("{endpoint:?} is not {row:?}"));
    }
    differences.assert_none();
}

fn kind(word: &str) -> Option<CredentialKind> {
    match word {
        "system-key" => Some(CredentialKind::SystemKey),
        "community-key" => Some(CredentialKind::CommunityKey),
        "user-key" => Some(CredentialKind::UserKey),
        "jwt" | "mudbase-jwt" => Some(CredentialKind::Jwt),
        "sendbird-token" => Some(CredentialKind::SendbirdToken),
        _ => None,
    }
}

fn role(word: &str) -> Role {
    match word {
        "role:owner" => Role::Owner,
        "role:admin" => Role::Admin,
        "role:member" => Role::Member,
        _ => Role::Unspecified,
    }
}

/// Why `rule` lets in somebody whom `row` keeps out.
fn wider_than_row(rule: &AccessRule, row: &Row) -> Result<(), String> {
    let (kinds, permission, least) = match rule {
        AccessRule::Credential {
            kinds,
            permission,
            role,
        } => (kinds, permission, role),
        AccessRule::Public if row.auth.is_empty() => return Ok(()),
        // It opens one record alone: its service checks it.
        AccessRule::Public if row.auth == ["webhook-key"] => return Ok(()),
        AccessRule::Public | AccessRule::Internal => {
            return Err(format!(
                "{rule:?}, but the contract asks for {:?}",
                row.auth
            ));
        }
    };
    let allowed: Vec<_> = row.auth.iter().filter_map(|word| kind(word)).collect();
    if let Some(other) = kinds.iter().find(|kind| !allowed.contains(kind)) {
        return Err(format!(
            "it takes {other:?}, the contract only {:?}",
            row.auth
        ));
    }
    let keys = [CredentialKind::CommunityKey, CredentialKind::UserKey];
    let needed = row
        .permission
        .iter()
        .find(|word| permission::parse(word).is_ok());
    if let Some(needed) = needed.filter(|_| kinds.iter().any(|kind| keys.contains(kind))) {
        let asked = permission.map(permission::name);
        if asked != Some(needed) {
            return Err(format!(
                "it asks for permission {asked:?}, the contract for {needed}"
            ));
        }
    }
    let needed = row
        .permission
        .iter()
        .map(|word| role(word))
        .max()
        .unwrap_or(Role::Unspecified);
    if kinds.contains(&CredentialKind::Jwt) && *least < needed {
        return Err(format!(
            "it asks for {least:?}, the contract for {needed:?}"
        ));
    }
    Ok(())
}

/// Why the route lets in somebody whom the RPC behind it keeps out.
fn wider_than_rpc(route: &AccessRule, rpc: &AccessRule) -> Result<(), String> {
    match (route, rpc) {
        (_, AccessRule::Public) => Ok(()),
        (
            AccessRule::Credential {
                kinds,
                permission,
                role,
            },
            AccessRule::Credential {
                kinds: may,
                permission: needed,
                role: least,
            },
        ) => {
            let unknown = kinds.iter().find(|kind| !may.contains(kind));
            let keys = [CredentialKind::CommunityKey, CredentialKind::UserKey];
            let by_key = kinds.iter().any(|kind| keys.contains(kind));
            let by_jwt = kinds.contains(&CredentialKind::Jwt);
            if unknown.is_some() || (by_key && permission != needed) || (by_jwt && role < least) {
                return Err(format!("{route:?} is wider than {rpc:?}"));
            }
            Ok(())
        }
        (AccessRule::Public | AccessRule::Internal | AccessRule::Credential { .. }, _) => {
            Err(format!("{route:?} is wider than {rpc:?}"))
        }
    }
}

#[test]
fn no_route_is_wider_than_its_row() {
    let mut differences = Differences::default();
    for endpoint in served() {
        differences.note(
            endpoint.id,
            wider_than_row(&endpoint.access, &row_of(endpoint.id)),
        );
    }
    differences.assert_none();
}

#[test]
fn no_route_is_wider_than_the_rpc_behind_it() {
    let rpcs = RpcTable::load().unwrap();
    let mut differences = Differences::default();
    for endpoint in served() {
        let outcome = match endpoint.rpc {
            Some(path) => match rpcs.get(path) {
                Some(rpc) => wider_than_rpc(&endpoint.access, &rpc.access),
                None => Err(format!("there is no RPC {path}")),
            },
            None if endpoint.access == AccessRule::Public => Ok(()),
            None => Err("it needs a credential, but names no RPC".to_owned()),
        };
        differences.note(endpoint.id, outcome);
    }
    differences.assert_none();
}

#[test]
fn a_rule_that_is_too_wide_is_found() {
    let send = row_of("messages-send");
    let permission = permission::parse("sendMessage").ok();
    let rule = |kinds: &[CredentialKind], permission| {
        AccessRule::credential(kinds, permission, Role::Member)
    };
    let keys = [CredentialKind::CommunityKey, CredentialKind::UserKey];
    let right = rule(&keys, permission);
    let narrower = rule(&keys[..1], permission);
    assert_eq!(wider_than_row(&right, &send), Ok(()));
    assert_eq!(wider_than_row(&narrower, &send), Ok(()));
    assert_eq!(wider_than_rpc(&narrower, &right), Ok(()));
    let too_wide = [
        AccessRule::Public,
        AccessRule::Internal,
        rule(&[CredentialKind::SystemKey], permission),
        rule(&keys, None),
        rule(&keys, permission::parse("getMessages").ok()),
    ];
    for rule in too_wide {
        assert!(wider_than_row(&rule, &send).is_err(), "{rule:?}");
        assert!(wider_than_rpc(&rule, &right).is_err(), "{rule:?}");
    }
    let member = rule(&[CredentialKind::Jwt], None);
    assert!(wider_than_row(&member, &row_of("apikeys-community-create")).is_err());
}

/// Rows that the tests of every operation leave out, and why. The tests of every row that is served
/// (`contract/both/every_row.rs`) call these, too.
const NOT_IN_OPERATIONS: &[(&str, &str)] = &[
    (
        "webhooks-in-receive",
        "a key of one webhook opens it: journeys/both/webhooks_incoming.rs",
    ),
    (
        "workflows-handshake",
        "a key of one workflow opens it: journeys/both/workflows.rs",
    ),
    (
        "workflows-event",
        "a session of one workflow opens it: journeys/both/workflows.rs",
    ),
    (
        "gateway-health",
        "it reads nothing: contract/both/routes.rs",
    ),
    ("gateway-ready", "it reads nothing: contract/both/routes.rs"),
    (
        "gateway-openapi",
        "it reads nothing: contract/both/routes.rs",
    ),
];

#[test]
fn every_row_is_called_by_the_tests_of_all_rows_or_says_why_not() {
    let mut differences = Differences::default();
    for endpoint in served() {
        let mut operations = OPERATIONS.iter();
        let is_tested = operations.any(|operation| operation.id == endpoint.id);
        let is_exempt = NOT_IN_OPERATIONS.iter().any(|(id, _)| *id == endpoint.id);
        let what = "is it in operation/sample.rs?";
        differences.expect(is_tested != is_exempt, endpoint.id, what);
        let is_open = endpoint.access == AccessRule::Public;
        let what = "who may call it is tested by the table of operations";
        differences.expect(is_open || !is_exempt, endpoint.id, what);
    }
    differences.assert_none();
}

fn openapi() -> Value {
    serde_json::from_str(&guildhall_gateway::openapi_json().unwrap()).unwrap()
}

fn has_example(media: &Value) -> bool {
    let content = media["content"].as_object();
    content.is_some_and(|content| {
        content.values().all(|media| {
            !media["example"].is_null()
                || media["examples"]
                    .as_object()
                    .is_some_and(|all| !all.is_empty())
        })
    })
}

#[test]
fn every_endpoint_is_documented_with_an_example() {
    let document = openapi();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut differences = Differences::default();
    for endpoint in served() {
        let row = row_of(endpoint.id);
        let operation = &document["paths"][row.path][row.method.to_lowercase()];
        let success = &operation["responses"][row.success.to_string()];
        let body = &operation["requestBody"];
        let secured = operation["security"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        for (right, what) in [
            (operation.is_object(), "an operation at its path and method"),
            (
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "a summary",
            ),
            (has_example(success), "an example of its success"),
            (
                body.is_null() || has_example(body),
                "an example of its body",
            ),
            (secured != row.auth.is_empty(), "the security of its row"),
        ] {
            differences.expect(right, endpoint.id, format!("the document lacks {what}"));
        }
    }
    differences.assert_none();
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(
                    object
                        .get("$ref")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#');
        assert!(
            pointer
                .and_then(|pointer| document.pointer(pointer))
                .is_some(),
            "{reference}"
        );
    }
}

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    let made = guildhall_gateway::openapi_json().unwrap();
    assert!(
        committed == made,
        "gateway/openapi.json is stale: run `make openapi`"
    );
}
