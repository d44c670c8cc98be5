//! The OpenAPI document, made of the same endpoints as the router.
//!
//! An operation is made of its row, its handler's signature and its examples; what is the same for all
//! is added here: credentials, headers, errors.

mod errors;
mod operation;
mod security;
mod shared;

use guildhall_auth::RpcTable;
use guildhall_runtime::Result;
use utoipa::openapi::{
    Components, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, path::Paths,
};

use self::errors::Errors;
use crate::{
    document::Body,
    endpoint::Bound,
    schema::{Moment, ObjectId},
};

const ABOUT: &str = "\
Messaging for communities. Every path is served under `/v1`, `/apis/v1`, `/api/v1`, `/apis` and at \
the root alike, except those of the Sendbird and Mudbase facades and of the operations.\n\n\
`Idempotency-Key` (at most 255 characters) on a POST makes a repeat answer the same for 24 hours. \
Every answer carries `x-request-id`, and answers to a credential `X-RateLimit-Limit`, \
`X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds).";

/// The document of `endpoints`.
///
/// # Errors
/// A broken build: an example that is no JSON, or an RPC without its options.
pub fn document(endpoints: &[Bound]) -> Result<OpenApi> {
    let rpcs = RpcTable::load()?;
    let mut errors = Errors::default();
    let mut schemas = Vec::new();
    ObjectId::describe(&mut schemas);
    Moment::describe(&mut schemas);
    let mut operations = Vec::new();
    for endpoint in endpoints {
        schemas.extend(endpoint.documentation.schemas());
        for (nth, path) in endpoint.paths().enumerate() {
            let operation = operation::of(endpoint, path, nth, &rpcs, &mut errors)?;
            operations.push((path, http_method(endpoint), operation));
        }
    }
    let mut components = Components::new();
    components.parameters =
        shared::parameters(operations.iter_mut().map(|(.., operation)| operation));
    security::add_schemes(&mut components);
    errors.add_to(&mut components);
    components.schemas.extend(schemas);

    let mut paths = Paths::new();
    for (path, method, operation) in operations {
        paths.add_path_operation(path, vec![method], operation);
    }
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"));
    let info = InfoBuilder::new()
        .title("Guildhall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    Ok(OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .build())
}

/// The method as OpenAPI knows it; a row has only these.
fn http_method(endpoint: &Bound) -> HttpMethod {
    match endpoint.row.method.as_str() {
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
