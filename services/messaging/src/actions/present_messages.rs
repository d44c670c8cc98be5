//! Messages with everything that is shown beside them: one query per page, never one per message.

use std::{collections::HashMap, sync::Arc};

use guildhall_data::{CommunityId, UserId};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{Author, Message, MessageDetails};
use guildhall_runtime::Result;

use crate::{
    Messaging, present,
    store::{messages, reactions},
};

impl Messaging {
    /// Messages of one community, with their authors, the members they mention, channel names and
    /// reactions.
    pub(crate) async fn present_messages(
        &self,
        community: CommunityId,
        rows: Vec<messages::Model>,
    ) -> Result<Vec<Message>> {
        let connection = self.0.database.reader();
        let mut reactions = reactions::list_counts_of_page(connection, community, &rows).await?;
        let details = rows.iter().map(present::details);
        let details: Vec<_> = details.collect::<Result<_>>()?;
        let authors = rows.iter().filter_map(|row| row.user_id);
        let mentioned = details
            .iter()
            .flat_map(|details| mentioned_by(details.as_ref()));
        let users = authors.chain(mentioned);
        let users = self.0.directory.get_all(community, users).await?;
        let names = self
            .0
            .channels
            .names(community, rows.iter().map(|row| row.channel_id))
            .await?;
        let present = |(row, details): (&messages::Model, Option<MessageDetails>)| {
            let shown = row.user_id.map(|id| match users.get(&id) {
                Some(user) => present::author(user),
                None => present::unknown_author(id),
            });
            let name = names.get(&row.channel_id).map_or("", String::as_str);
            let counts = reactions.remove(&row.id).unwrap_or_default();
            let counts = present::reaction_counts(counts);
            let mentions = mentions(details.as_ref(), &users);
            present::message(row, name, shown, counts, details, mentions)
        };
        Ok(rows.iter().zip(details).map(present).collect())
    }
}

/// The members whom a message mentions. Older messages hold what their sender wrote instead of ids.
fn mentioned_by(details: Option<&MessageDetails>) -> impl Iterator<Item = UserId> {
    let ids = details.map(|details| details.mentioned_user_ids.iter());
    ids.into_iter().flatten().filter_map(|id| id.parse().ok())
}

fn mentions(details: Option<&MessageDetails>, users: &HashMap<UserId, Arc<User>>) -> Vec<Author> {
    let known = mentioned_by(details).filter_map(|id| users.get(&id));
    known.map(|user| present::author(user)).collect()
}
