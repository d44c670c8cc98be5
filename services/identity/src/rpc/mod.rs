//! A file per gRPC service. Each method reads the request, makes one call, and answers.

mod api_keys;
mod authentication;
mod credentials;
mod user_directory;

use guildhall_proto::identity::v1::{
    api_key_service_server::{ApiKeyServiceServer, SERVICE_NAME as API_KEYS},
    authentication_service_server::{AuthenticationServiceServer, SERVICE_NAME as AUTHENTICATION},
    credential_service_server::{CredentialServiceServer, SERVICE_NAME as CREDENTIALS},
    user_directory_service_server::{SERVICE_NAME as USER_DIRECTORY, UserDirectoryServiceServer},
};
use tonic::service::RoutesBuilder;

use crate::Identity;

/// The full names of the services.
pub(crate) const SERVICES: &[&str] = &[AUTHENTICATION, API_KEYS, USER_DIRECTORY, CREDENTIALS];

/// Adds all of them.
pub(crate) fn add_services(identity: &Identity, routes: &mut RoutesBuilder) {
    routes
        .add_service(AuthenticationServiceServer::new(identity.clone()))
        .add_service(ApiKeyServiceServer::new(identity.clone()))
        .add_service(UserDirectoryServiceServer::new(identity.clone()))
        .add_service(CredentialServiceServer::new(identity.clone()));
}
