use guildhall_proto::identity::v1::{
    ResolveKeyRequest, ResolveKeyResponse, ResolveSessionRequest, ResolveSessionResponse,
    credential_service_server::CredentialService,
};
use guildhall_service::forward;

use crate::Identity;

forward! {
    CredentialService for Identity {
        resolve_key(ResolveKeyRequest) -> ResolveKeyResponse;
        resolve_session(ResolveSessionRequest) -> ResolveSessionResponse;
    }
}
