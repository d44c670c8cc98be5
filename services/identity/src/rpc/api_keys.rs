use guildhall_proto::identity::v1::{
    CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse, CreateUserApiKeyRequest,
    CreateUserApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse, GetCurrentApiKeyRequest,
    GetCurrentApiKeyResponse, api_key_service_server::ApiKeyService,
};
use guildhall_service::forward;

use crate::Identity;

forward! {
    ApiKeyService for Identity {
        get_current_api_key(GetCurrentApiKeyRequest) -> GetCurrentApiKeyResponse;
        create_community_api_key(CreateCommunityApiKeyRequest) -> CreateCommunityApiKeyResponse;
        create_user_api_key(CreateUserApiKeyRequest) -> CreateUserApiKeyResponse;
        delete_api_key(DeleteApiKeyRequest) -> DeleteApiKeyResponse;
    }
}
