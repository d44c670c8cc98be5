//! A file per gRPC service: its methods, each of which is the action of the same name.

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
use guildhall_server::{Rpcs, serve};

use crate::Identity;

/// Adds all of them.
pub(crate) fn add_services(identity: &Identity, rpcs: &mut Rpcs) {
    serve!(
        rpcs,
        identity,
        [
            AuthenticationServiceServer,
            ApiKeyServiceServer,
            UserDirectoryServiceServer,
            CredentialServiceServer,
        ]
    );
}
