use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, LoginRequest, LoginResponse,
    authentication_service_server::AuthenticationService,
};
use guildhall_service::forward;

use crate::Identity;

forward! {
    AuthenticationService for Identity {
        login(LoginRequest) -> LoginResponse;
        list_signing_keys(ListSigningKeysRequest) -> ListSigningKeysResponse;
    }
}
