use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest, ResolveUsersResponse,
    user_directory_service_server::UserDirectoryService,
};
use guildhall_service::forward;

use crate::Identity;

forward! {
    UserDirectoryService for Identity {
        resolve_users(ResolveUsersRequest) -> ResolveUsersResponse;
        get_community(GetCommunityRequest) -> GetCommunityResponse;
    }
}
