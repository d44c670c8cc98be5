//! Resolves who acts, and on which channel or message.

use std::sync::Arc;

use guildhall_auth::{Authority, Caller};
use guildhall_data::id;
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{MessageReference, message_reference::Reference};
use guildhall_runtime::{Error, Reason, Result};

use crate::{
    Messaging,
    domain::{
        Channel, MessageKind,
        access::{may_read, message_not_found},
    },
    store::messages,
};

/// Refuses an empty required field before anything is looked up.
pub(super) fn require(field: &'static str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::missing(field));
    }
    Ok(())
}

/// Refuses a request without a sender when the credential may act as any member.
pub(super) fn require_sender(caller: &Caller, sender: &str) -> Result<()> {
    match caller.acts_only_as() {
        Some(_) => Ok(()),
        None => require("sender", sender),
    }
}

/// Turns a missing channel into a missing message, for callers who named a message in it.
pub(super) fn hide_channel(error: Error) -> Error {
    if error.reason() == Reason::ChannelNotFound {
        return message_not_found();
    }
    error
}

impl Messaging {
    /// The member that the caller acts as. Callers who can only act as themselves need not name a
    /// sender.
    pub(super) async fn acting_member(&self, caller: &Caller, sender: &str) -> Result<Arc<User>> {
        let own = caller.acts_only_as();
        if sender.is_empty() {
            let own = own.ok_or_else(|| Error::missing("sender"))?;
            return self.0.directory.get(caller.community, own).await;
        }
        let member = self
            .0
            .directory
            .resolve(caller.community, "sender", sender)
            .await?;
        if own.is_some_and(|own| own != member.id) {
            return Err(Error::new(
                Reason::SenderNotAllowed,
                "The sender must be the owner of the credential",
            ));
        }
        Ok(member)
    }

    /// The author of a message; none for administrative messages.
    pub(super) async fn author(
        &self,
        caller: &Caller,
        sender: &str,
        kind: MessageKind,
    ) -> Result<Option<Arc<User>>> {
        if kind != MessageKind::Admin {
            return self.acting_member(caller, sender).await.map(Some);
        }
        match caller.authority {
            Authority::SendbirdToken { .. } => Ok(None),
            Authority::SystemKey { .. }
            | Authority::CommunityKey { .. }
            | Authority::UserKey { .. }
            | Authority::Member { .. } => Err(Error::invalid(
                "kind",
                "Administrative messages are for Sendbird tokens",
            )),
        }
    }

    /// The channel that a reference means, if the caller may read it.
    pub(super) async fn readable_channel(
        &self,
        caller: &Caller,
        reference: &str,
    ) -> Result<Arc<Channel>> {
        let channel = self.0.channels.resolve(caller.community, reference).await?;
        may_read(&caller.authority, &channel)?;
        Ok(channel)
    }

    /// The message that the reference in `field` means, and its channel. Whether the caller may do what they
    /// want with it is not checked.
    pub(super) async fn referenced_message(
        &self,
        caller: &Caller,
        field: &'static str,
        reference: Option<MessageReference>,
    ) -> Result<(messages::Model, Arc<Channel>)> {
        let (channels, community) = (&self.0.channels, caller.community);
        let reference = reference.unwrap_or_default();
        let message = self.find_message(caller, field, &reference).await?;
        let channel = channels.get(community, message.channel_id).await;
        let channel = channel.map_err(hide_channel)?;
        if !reference.channel.is_empty() {
            let named = channels.resolve(community, &reference.channel).await;
            if named.map_err(hide_channel)?.id != channel.id {
                return Err(message_not_found());
            }
        }
        Ok((message, channel))
    }

    async fn find_message(
        &self,
        caller: &Caller,
        field: &'static str,
        reference: &MessageReference,
    ) -> Result<messages::Model> {
        let (connection, community) = (self.0.database.reader(), caller.community);
        let message = match &reference.reference {
            None => return Err(Error::missing(field)),
            Some(Reference::Id(id)) => {
                let id = id::parse(&format!("{field}.id"), id)?;
                messages::find(connection, community, id).await?
            }
            Some(Reference::Number(number)) => {
                messages::find_by_number(connection, community, *number).await?
            }
        };
        message
            .filter(|message| reference.include_encrypted || !message.encrypted)
            .ok_or_else(message_not_found)
    }

    /// The message that the reference in `field` means, and its channel, if the caller may read it.
    pub(super) async fn readable_message(
        &self,
        caller: &Caller,
        field: &'static str,
        reference: Option<MessageReference>,
    ) -> Result<(messages::Model, Arc<Channel>)> {
        let (message, channel) = self.referenced_message(caller, field, reference).await?;
        may_read(&caller.authority, &channel).map_err(hide_channel)?;
        Ok((message, channel))
    }
}
