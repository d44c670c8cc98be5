use guildhall_auth::{CredentialKind, permission};
use guildhall_proto::identity::v1::{ApiKey, ResolveKeyResponse};
use guildhall_runtime::{Error, Result};

use super::time;
use crate::{domain::KeyKind, store::api_keys::Model};

/// A key as its holder and the community's admins see it: without its text.
pub(crate) fn api_key(key: Model) -> ApiKey {
    let user_id = match key.kind {
        KeyKind::User => key.user_id.to_string(),
        KeyKind::System | KeyKind::Community | KeyKind::Sendbird => String::new(),
    };
    ApiKey {
        id: key.id.to_string(),
        kind: CredentialKind::from(key.kind).into(),
        community_id: key.community_id.to_string(),
        user_id,
        expire_period_days: key.expire_period_days,
        expire_time: key.expires_at.map(time),
        active: key.is_active,
        create_time: Some(time(key.created_at)),
        name: key.name,
        permissions: key.permissions.0,
        channel_ids: key.channel_ids.0,
        masked_key: key.masked,
    }
}

/// A key as the access layer sees it.
///
/// # Errors
/// INTERNAL when the row was damaged.
pub(crate) fn resolved_key(key: Model) -> Result<ResolveKeyResponse> {
    let permissions = key
        .permissions
        .0
        .iter()
        .map(|name| permission::parse(name).map(i32::from));
    Ok(ResolveKeyResponse {
        key_id: key.id.to_string(),
        kind: CredentialKind::from(key.kind).into(),
        community_id: key.community_id.to_string(),
        user_id: key.user_id.to_string(),
        permissions: permissions
            .collect::<Result<_>>()
            .map_err(Error::internal)?,
        expire_time: key.expires_at.map(time),
        channel_ids: key.channel_ids.0,
    })
}
