//! Messages with all that is shown beside them: a query a page, never a query a message.

use guildhall_data::{CommunityId, UserId};
use guildhall_proto::messaging::v1::{Author, Message};
use guildhall_runtime::Result;

use crate::{
    Messaging, present,
    store::{messages, reactions},
};

impl Messaging {
    /// Shows messages of one community.
    pub async fn shown(
        &self,
        community: CommunityId,
        rows: Vec<messages::Model>,
    ) -> Result<Vec<Message>> {
        let connection = self.0.database.reader();
        let mut reactions = reactions::counts_of_page(connection, community, &rows).await?;
        let authors = rows.iter().filter_map(|row| row.user_id);
        let authors = self.0.directory.members(community, authors).await?;
        let names = self
            .0
            .rooms
            .names(community, rows.iter().map(|row| row.channel_id))
            .await?;
        let show = |row: &messages::Model| {
            let author = row.user_id.map(|id| match authors.get(&id) {
                Some(member) => member.author.clone(),
                None => nameless(id),
            });
            let name = names.get(&row.channel_id).map_or("", String::as_str);
            let counts = reactions.remove(&row.id).unwrap_or_default();
            present::message(row, name, author, present::reaction_counts(counts))
        };
        rows.iter().map(show).collect()
    }
}

/// A user of whom identity knows nothing any more.
pub fn nameless(id: UserId) -> Author {
    Author {
        user_id: id.to_string(),
        ..Author::default()
    }
}
