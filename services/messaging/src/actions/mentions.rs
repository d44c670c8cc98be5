//! Whom a message mentions.

use std::sync::Arc;

use guildhall_data::CommunityId;
use guildhall_directory::User;
use guildhall_runtime::{Error, Result};

use crate::{
    Messaging,
    domain::{Channel, Content},
};

/// Members that a message mentions at most (contract: settlements, part 8).
const MAX: usize = 50;

impl Messaging {
    /// Looks up whom `content` mentions, and leaves in it who may read the channel: under their ids,
    /// each once.
    ///
    /// # Errors
    /// INVALID_VALUE when there are too many, UNREACHABLE when identity cannot say.
    pub(super) async fn mentions(
        &self,
        community: CommunityId,
        channel: &Channel,
        content: &mut Content,
    ) -> Result<Vec<Arc<User>>> {
        const FIELD: &str = "details.mentioned_user_ids";
        let Some(details) = content.details.as_mut() else {
            return Ok(Vec::new());
        };
        let references = std::mem::take(&mut details.mentioned_user_ids);
        if references.len() > MAX {
            let description = format!("{FIELD} must be at most {MAX}");
            return Err(Error::invalid(FIELD, description));
        }
        let found = self.0.directory.find_all(community, &references).await?;
        let mut mentioned: Vec<Arc<User>> = Vec::with_capacity(found.len());
        for user in found {
            let is_new = mentioned.iter().all(|other| other.id != user.id);
            let may_read = !channel.is_direct() || channel.participants.contains(&user.id);
            if is_new && may_read {
                details.mentioned_user_ids.push(user.id.to_string());
                mentioned.push(user);
            }
        }
        Ok(mentioned)
    }
}
