//! What callers ask, a file per gRPC service.

use tonic::service::RoutesBuilder;

use crate::Webhooks;

/// The full names of the services.
pub const SERVICES: &[&str] = &[];

/// Adds all of them.
pub fn add_services(_webhooks: &Webhooks, _routes: &mut RoutesBuilder) {}
