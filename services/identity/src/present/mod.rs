//! How stored records look in answers: stored record → proto.

mod api_key;
mod user;

use guildhall_proto::identity::v1::{GetCommunityResponse, SigningKey};
use guildhall_runtime::{Result, Timestamp};

pub(crate) use self::{
    api_key::{api_key, resolved_key},
    user::{bot, session, user},
};
use crate::store::{communities, signing_keys, users};

/// What the other services need to know of a community.
///
/// # Errors
/// As [`bot`].
pub(crate) fn community(
    community: communities::Model,
    owner: users::Model,
) -> Result<GetCommunityResponse> {
    let bot = Some(bot(&community)?);
    Ok(GetCommunityResponse {
        id: community.id.to_string(),
        name: community.name,
        slug: community.slug,
        owner: Some(user(owner)),
        bot,
    })
}

/// The public half of a signing key.
pub(crate) fn signing_key(key: signing_keys::Model) -> SigningKey {
    SigningKey {
        key_id: key.key_id.to_string(),
        public_key: key.public_key,
        create_time: Some(time(key.created_at)),
    }
}

fn time(millis: i64) -> prost_types::Timestamp {
    Timestamp::from_millis(millis).into()
}
