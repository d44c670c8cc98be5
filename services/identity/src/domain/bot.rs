//! The bot of a community: the author of what nobody else is named for.
//!
//! It is not a row among the users, so it cannot have a password, a key or a session, no e-mail
//! address or username finds it, and no list or count of members includes it.

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_runtime::{Error, Result};
use guildhall_types::{CommunityId, UserId};

/// Bytes of an id.
const ID_LEN: usize = 12;

/// The id of a community's bot. It is derived from that of the community, so every community has a
/// bot from its first moment on, and all replicas agree on it.
///
/// # Errors
/// Never in practice: the text is an id.
pub(crate) fn id_of(community: CommunityId) -> Result<UserId> {
    let hash = digest(&SHA256, format!("guildhall bot {community}").as_bytes());
    let id = hex::encode(&hash.as_ref()[..ID_LEN]);
    id.parse().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_community_has_its_own_bot_which_never_changes() {
        let community: CommunityId = "0123456789abcdef01234567".parse().unwrap();
        let bot = id_of(community).unwrap();
        assert_eq!(bot.to_string(), "d65426ad153a263a9dfe8c4b");
        assert_ne!(bot, id_of(CommunityId::generate()).unwrap());
    }
}
