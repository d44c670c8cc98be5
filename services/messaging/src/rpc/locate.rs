//! Who acts, and on what.

use std::sync::Arc;

use guildhall_auth::{Authority, Caller};
use guildhall_proto::messaging::v1::{MessageReference, message_reference::Reference};
use guildhall_runtime::{Error, Reason, Result};

use crate::{
    Messaging,
    domain::{
        Channel, Member, MessageKind,
        access::{may_read, message_not_found},
    },
    store::messages,
};

/// Refuses an empty required field before anything is looked up.
pub fn require(field: &'static str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::missing(field));
    }
    Ok(())
}

/// Refuses a request that names no sender where the credential does not say who acts.
pub fn require_sender(caller: &Caller, sender: &str) -> Result<()> {
    match caller.acts_only_as() {
        Some(_) => Ok(()),
        None => require("sender", sender),
    }
}

/// What a channel that is not there means to whoever named a message in it.
pub fn hide(error: Error) -> Error {
    if error.reason() == Reason::ChannelNotFound {
        return message_not_found();
    }
    error
}

impl Messaging {
    /// The member as whom the caller acts; for callers who act only as themselves it is they.
    pub async fn acting(&self, caller: &Caller, sender: &str) -> Result<Arc<Member>> {
        let own = caller.acts_only_as();
        if sender.is_empty() {
            let own = own.ok_or_else(|| Error::missing("sender"))?;
            return self.0.directory.member(caller.community, own).await;
        }
        let member = self.0.directory.resolve(caller.community, sender).await?;
        if own.is_some_and(|own| own != member.id) {
            return Err(Error::new(
                Reason::SenderNotAllowed,
                "The sender must be the owner of the credential",
            ));
        }
        Ok(member)
    }

    /// The author of a message; none for the administration.
    pub async fn author(
        &self,
        caller: &Caller,
        sender: &str,
        kind: MessageKind,
    ) -> Result<Option<Arc<Member>>> {
        if kind != MessageKind::Admin {
            return self.acting(caller, sender).await.map(Some);
        }
        match caller.authority {
            Authority::SendbirdToken { .. } => Ok(None),
            Authority::SystemKey { .. }
            | Authority::CommunityKey { .. }
            | Authority::UserKey { .. }
            | Authority::Member { .. } => Err(Error::invalid(
                "type",
                "Administrative messages are for Sendbird tokens",
            )),
        }
    }

    /// The channel that a reference means, which the caller may read.
    pub async fn readable_channel(&self, caller: &Caller, reference: &str) -> Result<Arc<Channel>> {
        let channel = self.0.rooms.named(caller.community, reference).await?;
        may_read(&caller.authority, &channel)?;
        Ok(channel)
    }

    /// The message that a reference means, and its channel; whether the caller may do with it
    /// what he wants is yet to be asked.
    pub async fn message_at(
        &self,
        caller: &Caller,
        reference: Option<MessageReference>,
    ) -> Result<(messages::Model, Arc<Channel>)> {
        let reference = reference.unwrap_or_default();
        let message = self.referenced(caller, &reference).await?;
        let channel = self
            .0
            .rooms
            .channel(caller.community, message.channel_id)
            .await;
        let channel = channel.map_err(hide)?;
        if !reference.channel.is_empty() {
            let named = self
                .0
                .rooms
                .named(caller.community, &reference.channel)
                .await;
            if named.map_err(hide)?.id != channel.id {
                return Err(message_not_found());
            }
        }
        Ok((message, channel))
    }

    async fn referenced(
        &self,
        caller: &Caller,
        reference: &MessageReference,
    ) -> Result<messages::Model> {
        let (connection, community) = (self.0.database.reader(), caller.community);
        let message = match &reference.reference {
            None => return Err(Error::missing("message")),
            Some(Reference::Id(id)) => messages::get(connection, community, id.parse()?).await?,
            Some(Reference::Number(number)) => {
                messages::get_by_number(connection, community, *number).await?
            }
        };
        message
            .filter(|message| reference.include_encrypted || !message.encrypted)
            .ok_or_else(message_not_found)
    }

    /// As [`Self::message_at`], and the caller may read it.
    pub async fn readable_message(
        &self,
        caller: &Caller,
        reference: Option<MessageReference>,
    ) -> Result<(messages::Model, Arc<Channel>)> {
        let (message, channel) = self.message_at(caller, reference).await?;
        may_read(&caller.authority, &channel).map_err(hide)?;
        Ok((message, channel))
    }
}
