//! Adds, removes and lists reactions.

use std::{collections::HashMap, sync::Arc};

use guildhall_auth::{Caller, CallerExt};
use guildhall_data::{Database, UserId, idempotency::Answer};
use guildhall_directory::User;
use guildhall_events::outbox;
use guildhall_proto::messaging::v1::{
    AddReactionRequest, AddReactionResponse, Author, ListReactionsRequest, ListReactionsResponse,
    MessageReference, Reaction as Presented, RemoveReactionRequest, RemoveReactionResponse,
};
use guildhall_runtime::{Result, Timestamp};
use tonic::{Request, Response};

use super::lookup::{hide_channel, require_sender};
use crate::{
    Messaging,
    domain::{Channel, Emoji, access::may_react, emoji},
    events, present,
    store::reactions::{self, MessageReactions, Reaction},
};

type Users = HashMap<UserId, Arc<User>>;

impl Messaging {
    /// Adds a reaction, unless the sender has reacted with the emoji before.
    ///
    /// # Errors
    /// Those of the fields and of [`may_react`], MESSAGE_NOT_FOUND, TOO_MANY_REACTIONS.
    pub(crate) async fn add_reaction(
        &self,
        request: Request<AddReactionRequest>,
    ) -> Result<Response<AddReactionResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let (emoji, sender) = (&request.emoji, &request.sender);
            let (reaction, channel) = self
                .reaction(&write.caller, request.message, emoji, sender)
                .await?;
            let (before, users) = self.reactions_before(&reaction).await?;
            let _lock = self.0.message_locks.lock(reaction.message).await;
            let transaction = write.begin().await?;
            let added = reactions::insert(&transaction, &reaction).await?;
            if let Some(time) = added {
                let event = events::reaction_added(&reaction, &channel, time);
                outbox::append(&transaction, vec![event]).await?;
            }
            let after = before.after(&transaction, &reaction, true).await?;
            let response = AddReactionResponse {
                added: added.is_some(),
                reactions: present_all(after, &users),
                update_time: added.map(Into::into),
                reaction: Some(present_one(&reaction, &users)),
            };
            write.finish(transaction, response).await
        });
        let response = write.await?;
        self.0.outbox.announce();
        Ok(response)
    }

    /// Removes a reaction, if the sender has reacted with the emoji.
    ///
    /// # Errors
    /// Those of the fields and of [`may_react`], MESSAGE_NOT_FOUND.
    pub(crate) async fn remove_reaction(
        &self,
        request: Request<RemoveReactionRequest>,
    ) -> Result<Response<RemoveReactionResponse>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let (emoji, sender) = (&request.emoji, &request.sender);
        let (reaction, channel) = self
            .reaction(&caller, request.message, emoji, sender)
            .await?;
        let (before, users) = self.reactions_before(&reaction).await?;
        let _lock = self.0.message_locks.lock(reaction.message).await;
        let transaction = self.0.database.begin().await?;
        let removed = reactions::remove(&transaction, &reaction).await?;
        let removed = removed.then(Timestamp::now);
        if let Some(time) = removed {
            let event = events::reaction_removed(&reaction, &channel, time);
            outbox::append(&transaction, vec![event]).await?;
        }
        let after = before.after(&transaction, &reaction, false).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(Response::new(RemoveReactionResponse {
            removed: removed.is_some(),
            reactions: present_all(after, &users),
            update_time: removed.map(Into::into),
            reaction: Some(present_one(&reaction, &users)),
        }))
    }

    /// The reactions to a message, if the caller may read it.
    ///
    /// # Errors
    /// MESSAGE_NOT_FOUND, CHANNEL_NOT_ALLOWED.
    pub(crate) async fn list_reactions(
        &self,
        request: Request<ListReactionsRequest>,
    ) -> Result<Response<ListReactionsResponse>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let (message, _) = self
            .readable_message(&caller, "message", request.message)
            .await?;
        let (reader, community) = (self.0.database.reader(), caller.community);
        let reactions = match request.include_users {
            true => MessageReactions::with_users(reader, community, message.id).await?,
            false => MessageReactions::without_users(reader, community, message.id).await?,
        };
        let users = reactions.user_ids();
        let users = self.0.directory.get_all(community, users).await?;
        Ok(Response::new(ListReactionsResponse {
            reactions: present_all(reactions, &users),
        }))
    }

    /// The reaction that a request describes, which its sender may make, and its channel.
    async fn reaction(
        &self,
        caller: &Caller,
        message: Option<MessageReference>,
        emoji: &str,
        sender: &str,
    ) -> Result<(Reaction, Arc<Channel>)> {
        let emoji = Emoji::parse(emoji)?;
        require_sender(caller, sender)?;
        let (message, channel) = self.referenced_message(caller, "message", message).await?;
        let member = self.acting_member(caller, sender).await?;
        may_react(&caller.authority, &channel, &member).map_err(hide_channel)?;
        let reaction = Reaction {
            community: caller.community,
            message: message.id,
            emoji,
            user: member.id,
        };
        Ok((reaction, channel))
    }

    /// The reactions so far, and the members who have reacted or are about to. Loaded before the
    /// transaction begins, so that it waits neither for identity nor for long lists.
    async fn reactions_before(&self, reaction: &Reaction) -> Result<(MessageReactions, Users)> {
        let (reader, community) = (self.0.database.reader(), reaction.community);
        let before = MessageReactions::with_users(reader, community, reaction.message).await?;
        let users = before.user_ids().chain([reaction.user]);
        let users = self.0.directory.get_all(community, users).await?;
        Ok((before, users))
    }
}

/// The reaction of one member, under the one name of its emoji.
fn present_one(reaction: &Reaction, all: &Users) -> Presented {
    let emoji = reaction.emoji.as_str();
    Presented {
        emoji: emoji.to_owned(),
        shortcode: emoji::shortcode(emoji).to_owned(),
        count: 1,
        users: vec![present_user(reaction.user, all)],
        update_time: None,
    }
}

fn present_user(id: UserId, all: &Users) -> Author {
    match all.get(&id) {
        Some(user) => present::author(user),
        None => present::unknown_author(id),
    }
}

fn present_all(reactions: MessageReactions, all: &Users) -> Vec<Presented> {
    let author = |id: &UserId| present_user(*id, all);
    let reactions = reactions.into_iter();
    let reactions = reactions
        .map(|(count, users)| present::reaction(count, users.iter().map(author).collect()));
    reactions.collect()
}
