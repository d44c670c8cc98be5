//! The browsable API reference. All its files are in the binary: it needs no internet.

use axum::Router;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The reference at `/docs`.
pub fn page() -> Router {
    let config = Config::from("/v1/openapi.json")
        // The default asks a server on the internet to judge the document.
        .validator_url("none")
        .display_operation_id(true)
        .persist_authorization(false)
        .try_it_out_enabled(true);
    SwaggerUi::new("/docs").config(config).into()
}
