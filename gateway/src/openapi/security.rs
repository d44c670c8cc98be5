//! Credentials.

use guildhall_auth::CredentialKind;
use utoipa::openapi::{
    Components,
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

use crate::contract::{Access, OwnCredential};

/// The schemes that open an endpoint, each alone.
pub fn requirements(access: &Access) -> Vec<SecurityRequirement> {
    let mut names: Vec<_> = access
        .credentials
        .iter()
        .filter_map(|kind| scheme(*kind))
        .collect();
    names.dedup();
    let own = access
        .own
        .iter()
        .filter_map(|credential| own_scheme(*credential));
    let schemes = names.into_iter().map(Some).chain(own);
    let requirement = |name| match name {
        Some(name) => SecurityRequirement::new::<_, [&str; 0], _>(name, []),
        None => SecurityRequirement::default(),
    };
    schemes.map(requirement).collect()
}

fn scheme(kind: CredentialKind) -> Option<&'static str> {
    match kind {
        CredentialKind::Unspecified => None,
        CredentialKind::SystemKey => Some("SystemKey"),
        CredentialKind::CommunityKey | CredentialKind::UserKey => Some("BearerKey"),
        CredentialKind::Jwt => Some("UserJwt"),
        CredentialKind::SendbirdToken => Some("SendbirdToken"),
    }
}

/// The scheme of a credential, and none inside where nothing needs to be presented; those that are
/// part of the query or body have no scheme.
fn own_scheme(credential: OwnCredential) -> Option<Option<&'static str>> {
    match credential {
        OwnCredential::WebhookKey => Some(Some("WebhookKey")),
        OwnCredential::SessionToken => Some(Some("SessionToken")),
        OwnCredential::Nothing => Some(None),
        OwnCredential::LinkToken | OwnCredential::WidgetAccess | OwnCredential::EmbedToken => None,
    }
}

/// Adds what the requirements refer to.
pub fn add_schemes(components: &mut Components) {
    for (name, scheme) in [
        (
            "SystemKey",
            header("X-API-Key", "The one system key of a community"),
        ),
        ("BearerKey", bearer("hex", "A community key or a user key")),
        ("UserJwt", bearer("JWT", "The token of a logged-in member")),
        (
            "SendbirdToken",
            header("Api-Token", "A token of the Sendbird facade"),
        ),
        (
            "WebhookKey",
            header("x-api-key", "The key of this webhook or workflow"),
        ),
        (
            "SessionToken",
            header("x-session-token", "From the workflow's handshake"),
        ),
    ] {
        components.add_security_scheme(name, scheme);
    }
}

fn header(name: &str, about: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, about)))
}

fn bearer(format: &str, about: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format(format)
        .description(Some(about));
    SecurityScheme::Http(scheme.build())
}
