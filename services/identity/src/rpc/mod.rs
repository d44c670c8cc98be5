//! What callers ask: request → one call → response.

mod api_keys;
mod authentication;
mod credentials;
mod user_directory;

use guildhall_proto::identity::v1::{
    api_key_service_server::ApiKeyServiceServer,
    authentication_service_server::AuthenticationServiceServer,
    credential_service_server::CredentialServiceServer,
    user_directory_service_server::UserDirectoryServiceServer,
};
use tonic::service::RoutesBuilder;

use crate::Identity;

pub(crate) fn add_services(identity: &Identity, routes: &mut RoutesBuilder) {
    routes
        .add_service(AuthenticationServiceServer::new(authentication::Service(
            identity.clone(),
        )))
        .add_service(ApiKeyServiceServer::new(api_keys::Service(
            identity.clone(),
        )))
        .add_service(UserDirectoryServiceServer::new(user_directory::Service(
            identity.clone(),
        )))
        .add_service(CredentialServiceServer::new(credentials::Service(
            identity.clone(),
        )));
}
