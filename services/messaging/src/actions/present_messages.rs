//! Messages with everything that is shown beside them: one query per page, never one per message.

use guildhall_data::CommunityId;
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::Result;

use crate::{
    Messaging, present,
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
                Some(user) => present::author(user),
                None => present::unknown_author(id),
            });
            let name = names.get(&row.channel_id).map_or("", String::as_str);
            let counts = reactions.remove(&row.id).unwrap_or_default();
            let counts = present::reaction_counts(counts);
            present::message(row, name, shown, counts)
        };
        rows.iter().map(present).collect()
    }
}
