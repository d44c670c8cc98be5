//! Messages with everything that is shown beside them: one query per page, never one per message.

use guildhall_data::{CommunityId, UserId};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{Author, Message};
use guildhall_runtime::Result;

use super::{message, reaction_counts};
use crate::{
    Messaging,
    store::{messages, reactions},
};

impl Messaging {
    /// Messages of one community, with their authors, channel names and reactions.
    pub(crate) async fn present_messages(
        &self,
        community: CommunityId,
        rows: Vec<messages::Model>,
    ) -> Result<Vec<Message>> {
        let connection = self.0.database.reader();
        let mut reactions = reactions::list_counts_of_page(connection, community, &rows).await?;
        let authors = rows.iter().filter_map(|row| row.user_id);
        let authors = self.0.directory.get_all(community, authors).await?;
        let names = self
            .0
            .channels
            .names(community, rows.iter().map(|row| row.channel_id))
            .await?;
        let present = |row: &messages::Model| {
            let shown = row.user_id.map(|id| match authors.get(&id) {
                Some(user) => author(user),
                None => unknown_author(id),
            });
            let name = names.get(&row.channel_id).map_or("", String::as_str);
            let counts = reactions.remove(&row.id).unwrap_or_default();
            message(row, name, shown, reaction_counts(counts))
        };
        rows.iter().map(present).collect()
    }
}

/// A user as they are shown next to what they write.
pub(crate) fn author(user: &User) -> Author {
    Author {
        user_id: user.id.to_string(),
        number: user.number,
        username: user.username.clone(),
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        avatar: user.avatar.clone(),
    }
}

/// A user whom identity does not know any more: the id alone.
pub(crate) fn unknown_author(id: UserId) -> Author {
    Author {
        user_id: id.to_string(),
        ..Author::default()
    }
}
