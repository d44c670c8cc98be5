use guildhall_proto::identity::v1::{
    CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse, CreateUserApiKeyRequest,
    CreateUserApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse, GetCurrentApiKeyRequest,
    GetCurrentApiKeyResponse, api_key_service_server::ApiKeyService,
};
use guildhall_service::forward;

use crate::Identity;

forward! {
    ApiKeyService for Identity {
        get_current_api_key(GetCurrentApiKeyRequest) -> GetCurrentApiKeyResponse = current_key;
        create_community_api_key(CreateCommunityApiKeyRequest) -> CreateCommunityApiKeyResponse
            = add_community_key;
        create_user_api_key(CreateUserApiKeyRequest) -> CreateUserApiKeyResponse = add_user_key;
        delete_api_key(DeleteApiKeyRequest) -> DeleteApiKeyResponse = delete_key;
    }
}
