//! API keys (contract: identity, "7. API keys").

use axum::extract::State;
use guildhall_auth::CredentialKind;
use guildhall_proto::identity::v1::{ApiKey, GetCurrentApiKeyRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    call::Call,
    endpoint::Endpoint,
    envelope::application::Application,
    failure::{Result, sent},
    moment::{iso, iso_null},
    sample,
    schema::{Moment, ObjectId},
    upstream::ApiKeys,
};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("apikeys-info", info, || shown(sample::api_key()))
            .about("What the very key of this request is and may do.")
            .calls("/guildhall.identity.v1.ApiKeyService/GetCurrentApiKey"),
    ]
}

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKeyInfo {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: KeyKind,
    #[schema(value_type = ObjectId)]
    community_id: String,
    /// The owner of a user key.
    #[schema(value_type = Option<ObjectId>)]
    user_id: Option<String>,
    /// As they were given, aliases included.
    permissions: Vec<String>,
    /// Days until it expires; 0 when it never does.
    expire_period: i32,
    /// Null for never.
    #[schema(value_type = Option<Moment>)]
    expire_date: Option<String>,
    is_active: bool,
    #[schema(value_type = Moment)]
    created_at: String,
}

/// Whose key it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum KeyKind {
    Community,
    User,
}

impl From<ApiKey> for ApiKeyInfo {
    fn from(key: ApiKey) -> Self {
        Self {
            kind: match key.kind() {
                CredentialKind::UserKey => KeyKind::User,
                CredentialKind::Unspecified
                | CredentialKind::SystemKey
                | CredentialKind::CommunityKey
                | CredentialKind::Jwt
                | CredentialKind::SendbirdToken => KeyKind::Community,
            },
            id: key.id,
            name: key.name,
            community_id: key.community_id,
            user_id: Some(key.user_id).filter(|id| !id.is_empty()),
            permissions: key.permissions,
            expire_period: key.expire_period_days,
            expire_date: iso_null(key.expire_time),
            is_active: key.active,
            created_at: iso(key.create_time),
        }
    }
}

async fn info(State(mut keys): State<ApiKeys>, call: Call) -> Result<Application<ApiKeyInfo>> {
    let request = call.request(GetCurrentApiKeyRequest {});
    let answer = keys.get_current_api_key(request).await?;
    let key = sent(answer.into_inner().api_key, "the current key")?;
    Ok(shown(key))
}

fn shown(key: ApiKey) -> Application<ApiKeyInfo> {
    Application::new("Get API key info success.", key.into())
}
