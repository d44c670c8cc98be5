//! What a 401 says about the credential that is asked for (RFC 9110, section 11.6.1).

use guildhall_auth::{AccessRule, CredentialKind};
use guildhall_runtime::Reason;
use http::{
    HeaderValue,
    header::{HeaderMap, WWW_AUTHENTICATE},
};

/// Adds the challenges of an endpoint whose answer is a 401 for this reason.
pub fn write(access: &AccessRule, reason: Reason, headers: &mut HeaderMap) {
    let (bearer, api_key) = asked_for(access);
    if matches!(access, AccessRule::Public) {
        // The record says which key opens it.
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"ApiKey realm="guildhall""#),
        );
    }
    if bearer {
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(of_bearer(reason)),
        );
    }
    if api_key {
        let challenge = HeaderValue::from_static(r#"ApiKey realm="guildhall", header="X-API-Key""#);
        headers.append(WWW_AUTHENTICATE, challenge);
    }
}

/// Whether a bearer token is taken, and whether a key is in its own header.
fn asked_for(access: &AccessRule) -> (bool, bool) {
    match access {
        AccessRule::Public | AccessRule::Internal => (false, false),
        AccessRule::Credential { kinds, .. } => {
            let system = kinds.contains(&CredentialKind::SystemKey);
            let others = kinds.iter().any(|kind| *kind != CredentialKind::SystemKey);
            (others, system)
        }
    }
}

/// RFC 6750, section 3.1.
fn of_bearer(reason: Reason) -> &'static str {
    if reason == Reason::CredentialInvalid {
        r#"Bearer realm="guildhall", error="invalid_token""#
    } else if matches!(reason, Reason::PermissionMissing | Reason::RoleMissing) {
        r#"Bearer realm="guildhall", error="insufficient_scope""#
    } else {
        r#"Bearer realm="guildhall""#
    }
}
