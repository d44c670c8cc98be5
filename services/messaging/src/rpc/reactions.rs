//! Adding, removing and listing reactions.

use std::{collections::HashMap, sync::Arc};

use guildhall_auth::{Caller, CallerExt, caller::answer};
use guildhall_data::{Claim, Database, UserId, idempotency::Answer};
use guildhall_events::outbox;
use guildhall_proto::messaging::v1::{
    AddReactionRequest, AddReactionResponse, ListReactionsRequest, ListReactionsResponse,
    MessageReference, Reaction as Shown, RemoveReactionRequest, RemoveReactionResponse,
    reaction_service_server::ReactionService,
};
use guildhall_runtime::{Result, Timestamp};
use tonic::{Request, Response, Status};

use super::{
    locate::{hide, require_sender},
    show::nameless,
};
use crate::{
    Messaging,
    domain::{Channel, Emoji, Member, access::may_react},
    events, present,
    store::reactions::{self, OfMessage, Reaction},
};

const ADD: &str = "/guildhall.messaging.v1.ReactionService/AddReaction";

#[tonic::async_trait]
impl ReactionService for Messaging {
    async fn add_reaction(
        &self,
        request: Request<AddReactionRequest>,
    ) -> Result<Response<AddReactionResponse>, Status> {
        Ok(self.add(request).await?)
    }

    async fn remove_reaction(
        &self,
        request: Request<RemoveReactionRequest>,
    ) -> Result<Response<RemoveReactionResponse>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.remove(&caller, request.into_inner()).await?,
        ))
    }

    async fn list_reactions(
        &self,
        request: Request<ListReactionsRequest>,
    ) -> Result<Response<ListReactionsResponse>, Status> {
        let caller = request.caller()?;
        let request = request.into_inner();
        let (message, _) = self.readable_message(&caller, request.message).await?;
        let connection = self.0.database.reader();
        let all = match request.include_users {
            true => OfMessage::named(connection, caller.community, message.id).await?,
            false => OfMessage::counted(connection, caller.community, message.id).await?,
        };
        let members = self
            .0
            .directory
            .members(caller.community, all.user_ids())
            .await?;
        Ok(Response::new(ListReactionsResponse {
            reactions: shown(all, &members),
        }))
    }
}

type Members = HashMap<UserId, Arc<Member>>;

impl Messaging {
    async fn add(
        &self,
        request: Request<AddReactionRequest>,
    ) -> Result<Response<AddReactionResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let ticket = match self
            .0
            .idempotency
            .claim(key, ADD, &request, Answer::Plain)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let (emoji, sender) = (&request.emoji, &request.sender);
        let (reaction, channel) = self
            .reaction(&caller, request.message, emoji, sender)
            .await?;
        let (before, members) = self.who_reacted(&reaction).await?;
        let _turn = self.0.turns.at(reaction.message).await;
        let transaction = self.0.database.begin().await?;
        let added = reactions::add(&transaction, &reaction).await?;
        if let Some(time) = added {
            let event = events::reaction_added(&reaction, &channel, time);
            outbox::append(&transaction, vec![event]).await?;
        }
        let all = before.after(&transaction, &reaction, true).await?;
        let response = AddReactionResponse {
            added: added.is_some(),
            reactions: shown(all, &members),
            update_time: added.map(Into::into),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(answer(response, false))
    }

    async fn remove(
        &self,
        caller: &Caller,
        request: RemoveReactionRequest,
    ) -> Result<RemoveReactionResponse> {
        let (emoji, sender) = (&request.emoji, &request.sender);
        let (reaction, channel) = self
            .reaction(caller, request.message, emoji, sender)
            .await?;
        let (before, members) = self.who_reacted(&reaction).await?;
        let _turn = self.0.turns.at(reaction.message).await;
        let transaction = self.0.database.begin().await?;
        let removed = reactions::remove(&transaction, &reaction)
            .await?
            .then(Timestamp::now);
        if let Some(time) = removed {
            let event = events::reaction_removed(&reaction, &channel, time);
            outbox::append(&transaction, vec![event]).await?;
        }
        let all = before.after(&transaction, &reaction, false).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok(RemoveReactionResponse {
            removed: removed.is_some(),
            reactions: shown(all, &members),
            update_time: removed.map(Into::into),
        })
    }

    /// The reaction that a request is about, which its sender may make.
    async fn reaction(
        &self,
        caller: &Caller,
        message: Option<MessageReference>,
        emoji: &str,
        sender: &str,
    ) -> Result<(Reaction, Arc<Channel>)> {
        let emoji = Emoji::parse(emoji)?;
        require_sender(caller, sender)?;
        let (message, channel) = self.message_at(caller, message).await?;
        let member = self.acting(caller, sender).await?;
        may_react(&caller.authority, &channel, &member).map_err(hide)?;
        let reaction = Reaction {
            community: caller.community,
            message: message.id,
            emoji,
            user: member.id,
        };
        Ok((reaction, channel))
    }

    /// Who has reacted so far, and the members who have or will. Asked for before a transaction
    /// begins: nobody waits for identity, or for long lists, while he holds the database.
    async fn who_reacted(&self, reaction: &Reaction) -> Result<(OfMessage, Members)> {
        let connection = self.0.database.reader();
        let all = OfMessage::named(connection, reaction.community, reaction.message).await?;
        let users = all.user_ids().chain([reaction.user]);
        let members = self.0.directory.members(reaction.community, users).await?;
        Ok((all, members))
    }
}

fn shown(all: OfMessage, members: &Members) -> Vec<Shown> {
    let author = |id: &UserId| match members.get(id) {
        Some(member) => member.author.clone(),
        None => nameless(*id),
    };
    all.into_iter()
        .map(|(count, users)| present::reaction(count, users.iter().map(author).collect()))
        .collect()
}
