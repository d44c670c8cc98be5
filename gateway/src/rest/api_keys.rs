//! API keys (contract: identity, "7. API keys").

use axum::{Json, extract::State};
use guildhall_auth::{CredentialKind, guard::BEARER_KEYS};
use guildhall_proto::identity::v1::{ApiKey, GetCurrentApiKeyRequest};
use guildhall_runtime::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    call::Call,
    endpoint::{Endpoint, callers},
    envelope::{Family, application::Application},
    failure::{Result, sent},
    upstream::Services,
};

pub fn endpoints() -> Vec<Endpoint> {
    let access = callers(BEARER_KEYS, None);
    vec![
        Endpoint::new(
            "apikeys-info",
            "Get current API key information",
            Family::Application,
            access,
            routes!(info),
        )
        .alias("/api-keys/info")
        .calls("/guildhall.identity.v1.ApiKeyService/GetCurrentApiKey"),
    ]
}

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKeyInfo {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    /// `community` or `user`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    community_id: String,
    /// The owner of a user key.
    user_id: Option<String>,
    /// As they were given, aliases included.
    permissions: Vec<String>,
    /// Life in days; 0 for ever.
    expire_period: i32,
    /// Null for never.
    expire_date: Option<String>,
    is_active: bool,
    created_at: String,
}

impl From<ApiKey> for ApiKeyInfo {
    fn from(key: ApiKey) -> Self {
        Self {
            kind: match key.kind() {
                CredentialKind::UserKey => "user",
                CredentialKind::Unspecified
                | CredentialKind::SystemKey
                | CredentialKind::CommunityKey
                | CredentialKind::Jwt
                | CredentialKind::SendbirdToken => "community",
            },
            id: key.id,
            name: key.name,
            community_id: key.community_id,
            user_id: Some(key.user_id).filter(|id| !id.is_empty()),
            permissions: key.permissions,
            expire_period: key.expire_period_days,
            expire_date: key.expire_time.map(|at| Timestamp::from(at).to_iso()),
            is_active: key.active,
            created_at: key
                .create_time
                .map(|at| Timestamp::from(at).to_iso())
                .unwrap_or_default(),
        }
    }
}

/// What the very key of this request is and may do.
#[utoipa::path(
    get,
    path = "/users/apikeys/info",
    tag = "API Keys",
    responses((status = 200, description = "The key", body = Application<ApiKeyInfo>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Get API key info success.",
        "data": {
            "_id": "d00000000000000000000001", "name": "Slack", "type": "community",
            "communityId": "c00000000000000000000001", "userId": null,
            "permissions": ["sendMessage"], "expirePeriod": 0, "expireDate": null,
            "isActive": true, "createdAt": "2026-01-02T10:30:00.000Z"
        }
    })))
)]
async fn info(
    State(services): State<Services>,
    call: Call,
) -> Result<Json<Application<ApiKeyInfo>>> {
    let request = call.request(GetCurrentApiKeyRequest {});
    let answer = services.api_keys().get_current_api_key(request).await?;
    let key = sent(answer.into_inner().api_key, "the current key")?;
    Ok(Json(Application::new(
        "Get API key info success.",
        key.into(),
    )))
}
