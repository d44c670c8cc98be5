//! One operation.

use guildhall_auth::{AccessRule, Role, RpcTable, permission};
use guildhall_proto::access::v1::Idempotency;
use guildhall_runtime::{Reason, Result};
use http::Method;
use utoipa::openapi::{
    Content, RefOr, Required, Response, ResponseBuilder, Responses,
    example::ExampleBuilder,
    path::{Operation, OperationBuilder, Parameter},
    request_body::{RequestBody, RequestBodyBuilder},
};

use super::{errors::Errors, security};
use crate::{contract::Condition, document::Media, endpoint::Bound, schema};

const JSON: &str = "application/json";

/// The operation of an endpoint at its `nth` path.
pub fn of(
    endpoint: &Bound,
    path: &str,
    nth: usize,
    rpcs: &RpcTable,
    errors: &mut Errors,
) -> Result<Operation> {
    let documentation = &endpoint.documentation;
    let parameters = parameters(endpoint, path);
    let is_keyed = documentation
        .rpc
        .and_then(|rpc| rpcs.get(rpc))
        .is_some_and(|rpc| rpc.idempotency == Idempotency::Keyed);
    let common = reasons(endpoint, !parameters.is_empty(), is_keyed);
    let family = endpoint.declaration.family(None);
    let mut responses = Responses::new();
    responses.responses = errors.of_operation(family, &common, documentation.reasons);
    for (status, response) in answers(endpoint)? {
        responses
            .responses
            .insert(status.to_string(), response.into());
    }
    let operation = OperationBuilder::new()
        .tag(endpoint.row.area)
        .summary(Some(endpoint.row.title))
        .description(Some(description(endpoint)))
        .operation_id(Some(operation_id(endpoint.row.id, nth)))
        .parameters(Some(parameters))
        .request_body(
            documentation
                .body
                .as_ref()
                .map(|body| request_body(endpoint, body))
                .transpose()?,
        )
        .responses(responses)
        .securities(Some(security::requirements(&endpoint.access)));
    Ok(operation.build())
}

/// Ids are unique in a document, and the canonical path has the row's own.
fn operation_id(id: &str, nth: usize) -> String {
    match nth {
        0 => id.to_owned(),
        1 => format!("{id}-alias"),
        nth => format!("{id}-alias-{nth}"),
    }
}

fn description(endpoint: &Bound) -> String {
    let mut text = endpoint.documentation.about.to_owned();
    let AccessRule::Credential {
        permission, role, ..
    } = &endpoint.declaration.access
    else {
        return text;
    };
    if let Some(permission) = permission {
        text.push_str(&format!(
            "\n\nNeeds the permission `{}`.",
            permission::name(*permission)
        ));
    }
    match role {
        Role::Unspecified | Role::Member => {}
        Role::Admin => text.push_str(" Members need to be admins."),
        Role::Owner => text.push_str(" Members need to be the owner."),
    }
    for condition in &endpoint.access.conditions {
        text.push(' ');
        text.push_str(&meaning(*condition));
    }
    text
}

fn meaning(condition: Condition) -> String {
    match condition {
        Condition::Own => "Members may do it for themselves.".to_owned(),
        Condition::OwnWith(permission) => {
            let permission = permission::name(permission);
            format!("User keys need `{permission}`, for their owner's record.")
        }
        Condition::Participant => "The caller needs to take part in the chat.".to_owned(),
        Condition::Author => "The caller needs to be the author.".to_owned(),
        Condition::ChatAdmin => "The caller needs to administer the chat.".to_owned(),
        Condition::ChatAdminOrSelf => {
            "The caller needs to administer the chat, or to mean themselves.".to_owned()
        }
    }
}

/// Path, then query, then headers. A name in the path is not repeated in the query.
fn parameters(endpoint: &Bound, path: &str) -> Vec<Parameter> {
    let documentation = &endpoint.documentation;
    let declared = (documentation.parameters)();
    let names: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
    let (in_path, others): (Vec<_>, Vec<_>) = declared.into_iter().partition(|parameter| {
        matches!(
            parameter.parameter_in,
            utoipa::openapi::path::ParameterIn::Path
        )
    });
    let mut parameters: Vec<_> = names
        .iter()
        .map(|name| {
            let declared = in_path.iter().find(|parameter| parameter.name == *name);
            declared
                .cloned()
                .unwrap_or_else(|| schema::id_in_path(name))
        })
        .collect();
    let query = (documentation.query)().into_iter();
    parameters.extend(query.filter(|parameter| !names.contains(&parameter.name.as_str())));
    parameters.extend(others);
    if endpoint.row.method == Method::POST && documentation.rpc.is_some() {
        parameters.push(schema::header(
            "Idempotency-Key",
            "The same key with the same body answers the first request again, for 24 hours.",
            // HTTP takes the blanks around a value away.
            schema::pattern(r"^[\t ]*[!-~]([\t -~]{0,253}[!-~])?[\t ]*$"),
        ));
    }
    parameters
}

fn request_body(endpoint: &Bound, body: &Media) -> Result<RequestBody> {
    let required = match endpoint.row.method {
        // A change that names nothing changes nothing.
        Method::PATCH => Required::False,
        // The query may say the same.
        Method::DELETE if !(endpoint.documentation.query)().is_empty() => Required::False,
        _ => Required::True,
    };
    Ok(RequestBodyBuilder::new()
        .required(Some(required))
        .content(JSON, with_example(body)?)
        .build())
}

fn with_example(media: &Media) -> Result<Content> {
    let mut content = media.content();
    content.example = Some(media.example()?);
    Ok(content)
}

/// The answers that are no errors.
fn answers(endpoint: &Bound) -> Result<Vec<(u16, Response)>> {
    let documentation = &endpoint.documentation;
    let success = endpoint.row.success;
    let others = |status: u16| {
        documentation
            .answers
            .iter()
            .filter(move |(other, ..)| *other == status)
    };
    let mut content = with_example(&documentation.success)?;
    if others(success.as_u16()).next().is_some() {
        let first = content.example.take();
        let first = ("default".to_owned(), first);
        let named = others(success.as_u16())
            .map(|(_, name, media)| Ok(((*name).to_owned(), Some(media.example()?))))
            .collect::<Result<Vec<_>>>()?;
        for (name, value) in std::iter::once(first).chain(named) {
            let example = ExampleBuilder::new().value(value).build();
            content.examples.insert(name, RefOr::T(example));
        }
    }
    let mut answers = vec![(
        success.as_u16(),
        response(success.canonical_reason(), content),
    )];
    for (status, name, media) in &documentation.answers {
        if *status != success.as_u16() {
            answers.push((*status, response(Some(name), with_example(media)?)));
        }
    }
    Ok(answers)
}

fn response(about: Option<&str>, content: Content) -> Response {
    ResponseBuilder::new()
        .description(about.unwrap_or("Success"))
        .content(JSON, content)
        .build()
}

/// What it may refuse because of what it is.
fn reasons(endpoint: &Bound, has_parameters: bool, is_keyed: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if has_parameters {
        reasons.push(Reason::InvalidValue);
    }
    if endpoint.documentation.body.is_some() {
        reasons.extend([
            Reason::MalformedBody,
            Reason::MissingField,
            Reason::BodyTooLarge,
            Reason::UnsupportedMediaType,
        ]);
    } else if endpoint.row.method != Method::GET {
        reasons.extend([Reason::BodyTooLarge, Reason::UnsupportedMediaType]);
    }
    if is_keyed {
        reasons.push(Reason::IdempotencyMismatch);
    }
    if let AccessRule::Credential {
        permission, role, ..
    } = &endpoint.declaration.access
    {
        reasons.extend([
            Reason::CredentialInvalid,
            Reason::CredentialsConflict,
            Reason::RateLimited,
        ]);
        reasons.extend(permission.map(|_| Reason::PermissionMissing));
        if *role > Role::Member {
            reasons.push(Reason::RoleMissing);
        }
    }
    if endpoint.documentation.rpc.is_some() {
        reasons.extend([Reason::Unreachable, Reason::Internal]);
    }
    reasons
}
