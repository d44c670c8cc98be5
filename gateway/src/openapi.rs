//! The OpenAPI document, made of the same endpoints as the router.
//!
//! Handlers bring their path, parameters, bodies and examples; what is the same for all is added
//! here: names from the contract, credentials from the access rule, errors from the envelope.

use std::collections::BTreeMap;

use guildhall_auth::{AccessRule, CredentialKind, permission};
use guildhall_runtime::{Error, Reason, Result};
use http::StatusCode;
use utoipa::{
    ToSchema,
    openapi::{
        Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
        RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        path::{Operation, Paths},
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::{
    endpoint::{Declaration, OwnCredential},
    envelope::{
        Family, application::ApplicationError, integration::IntegrationError,
        mudbase::MudbaseError, sendbird::SendbirdError, system::SystemError,
    },
    failure::Failure,
    prefix, surface,
};

const ABOUT: &str = "\
Messaging for communities. Every path is served under `/v1`, `/apis/v1`, `/api/v1`, `/apis` and at \
the root alike, except those of the Sendbird and Mudbase facades and of the operations.\n\n\
`Idempotency-Key` (at most 255 characters) on a POST makes a repeat answer the same for 24 hours. \
Every answer carries `x-request-id`, and answers to a credential `X-RateLimit-Limit`, \
`X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds).";

/// The document of everything that is served.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut paths = Paths::new();
    let mut components = components();
    for endpoint in surface::endpoints() {
        for (nth, route) in endpoint.routes.into_iter().enumerate() {
            let method = route.http_method();
            components.schemas.extend(route.schemas);
            paths.add_path_operation(
                prefix::documented(&route.path),
                vec![method],
                documented(&endpoint.declaration, route.operation, nth),
            );
        }
    }
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"));
    let info = InfoBuilder::new()
        .title("Guildhall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .build()
}

/// The document as it is committed: pretty, in a stable order, with a newline at the end.
///
/// # Errors
/// Never in practice: the document is made of texts.
pub fn openapi_json() -> Result<String> {
    let mut json = openapi().to_pretty_json().map_err(Error::internal)?;
    json.push('\n');
    Ok(json)
}

/// The operation as its row of the contract says.
fn documented(declaration: &Declaration, mut operation: Operation, nth: usize) -> Operation {
    let text = [operation.summary.take(), operation.description.take()];
    let mut text: Vec<String> = text.into_iter().flatten().collect();
    if let AccessRule::Credential {
        permission: Some(permission),
        ..
    } = &declaration.access
    {
        text.push(format!(
            "\nNeeds the permission `{}`.",
            permission::name(*permission)
        ));
    }
    operation.description = Some(text.join("\n"));
    operation.summary = Some(declaration.title.to_owned());
    // Ids are unique in a document, and the canonical path has the row's own.
    operation.operation_id = Some(match nth {
        0 => declaration.id.to_owned(),
        1 => format!("{}-alias", declaration.id),
        nth => format!("{}-alias-{nth}", declaration.id),
    });
    operation.security = Some(security(declaration));
    let family = declaration.family(None);
    let field = sample_field(&operation).unwrap_or_default();
    for (status, reasons) in by_status(family, reasons(declaration, &operation)) {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.as_str().to_owned())
            .or_insert_with(|| refusal(family, status, &reasons, &field).into());
    }
    operation
}

/// The schemes that open an endpoint, each alone.
fn security(declaration: &Declaration) -> Vec<SecurityRequirement> {
    let AccessRule::Credential { kinds, .. } = &declaration.access else {
        return declaration.presents.iter().map(own_security).collect();
    };
    let mut names: Vec<_> = kinds.iter().filter_map(|kind| scheme(*kind)).collect();
    names.dedup();
    names
        .into_iter()
        .map(|name| SecurityRequirement::new::<_, [&str; 0], _>(name, []))
        .collect()
}

fn own_security(credential: &OwnCredential) -> SecurityRequirement {
    let only = |name: &str| SecurityRequirement::new::<_, [&str; 0], _>(name, []);
    match credential {
        OwnCredential::WebhookKey => only("WebhookKey"),
        OwnCredential::SessionToken => only("SessionToken"),
        OwnCredential::Nothing => SecurityRequirement::default(),
    }
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

fn components() -> Components {
    let header = |name: &str, about: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, about)))
    };
    let bearer = |format: &str, about: &str| {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format(format)
            .description(Some(about));
        SecurityScheme::Http(scheme.build())
    };
    let mut components = Components::new();
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
    register::<IntegrationError>(&mut components);
    register::<ApplicationError>(&mut components);
    register::<SystemError>(&mut components);
    register::<SendbirdError>(&mut components);
    register::<MudbaseError>(&mut components);
    components
}

fn register<T: ToSchema>(components: &mut Components) {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    components.schemas.extend(schemas);
}

/// Everything that the endpoint may refuse with.
fn reasons(declaration: &Declaration, operation: &Operation) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if operation.parameters.is_some() {
        reasons.push(Reason::InvalidValue);
    }
    if operation.request_body.is_some() {
        reasons.extend([
            Reason::MalformedBody,
            Reason::MissingField,
            Reason::BodyTooLarge,
            Reason::UnsupportedMediaType,
        ]);
    }
    if let AccessRule::Credential { permission, .. } = declaration.access {
        reasons.extend([Reason::CredentialInvalid, Reason::RateLimited]);
        reasons.extend(permission.map(|_| Reason::PermissionMissing));
    }
    if declaration.rpc.is_some() {
        reasons.extend([Reason::Unreachable, Reason::Internal]);
    }
    reasons.extend(declaration.reasons);
    reasons
}

fn by_status(family: Family, reasons: Vec<Reason>) -> BTreeMap<StatusCode, Vec<Reason>> {
    let mut by_status: BTreeMap<StatusCode, Vec<Reason>> = BTreeMap::new();
    for reason in reasons {
        by_status
            .entry(family.status(reason.kind()))
            .or_default()
            .push(reason);
    }
    by_status
}

/// The documentation of a refusal, with the very bodies that the envelope makes.
fn refusal(family: Family, status: StatusCode, reasons: &[Reason], field: &str) -> Response {
    let schema = match family {
        Family::Integration | Family::Bare => IntegrationError::name(),
        Family::Application => ApplicationError::name(),
        Family::System => SystemError::name(),
        Family::Sendbird => SendbirdError::name(),
        Family::Mudbase => MudbaseError::name(),
    };
    let examples = reasons.iter().map(|reason| {
        let body = family.body(&Failure::from(sample(*reason, field)), &[]);
        let example = ExampleBuilder::new().value(Some(body)).build();
        (reason.as_str(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter(examples);
    ResponseBuilder::new()
        .description(status.canonical_reason().unwrap_or("Error"))
        .content("application/json", content.build())
        .build()
}

/// An error as the platform words it, about a field of the operation.
fn sample(reason: Reason, field: &str) -> Error {
    const WORDED: &[(Reason, &str)] = &[
        (Reason::CredentialInvalid, "Invalid token"),
        (Reason::PermissionMissing, "Insufficient permission"),
        (Reason::Unreachable, "The service is unavailable, try again"),
        (Reason::Internal, "Internal server error"),
        (
            Reason::RateLimited,
            "Rate limit exceeded: 100 requests per second",
        ),
    ];
    if reason == Reason::MissingField {
        return Error::missing(field);
    }
    if reason == Reason::InvalidValue {
        return Error::invalid(field, format!("{field} is invalid"));
    }
    match WORDED.iter().find(|(known, _)| *known == reason) {
        Some((_, text)) => Error::new(reason, *text),
        None => Error::new(reason, sentence(reason)),
    }
}

/// A field of the operation's body, or else a parameter.
fn sample_field(operation: &Operation) -> Option<String> {
    let content = match &operation.request_body {
        Some(RefOr::T(body)) => body.content.values().next(),
        Some(RefOr::Ref(_)) | None => None,
    };
    let example = match content {
        Some(RefOr::T(content)) => content.example.as_ref(),
        Some(RefOr::Ref(_)) | None => None,
    };
    let fields = example.and_then(|example| example.as_object());
    if let Some(field) = fields.and_then(|fields| fields.keys().next()) {
        return Some(field.clone());
    }
    match operation.parameters.iter().flatten().next_back() {
        Some(RefOr::T(parameter)) => Some(parameter.name.clone()),
        Some(RefOr::Ref(_)) | None => None,
    }
}

/// `CHANNEL_NOT_FOUND` as `Channel not found`.
fn sentence(reason: Reason) -> String {
    let words = reason.as_str().replace('_', " ").to_lowercase();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_two_schemas_share_a_name() {
        let mut known = HashMap::new();
        for route in surface::endpoints()
            .into_iter()
            .flat_map(|endpoint| endpoint.routes)
        {
            for (name, schema) in route.schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name}");
            }
        }
    }
}
