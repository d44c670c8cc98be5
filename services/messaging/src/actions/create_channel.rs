//! Creates a channel.

use std::{collections::HashSet, sync::Arc};

use guildhall_auth::Caller;
use guildhall_data::{ChannelId, UserId, idempotency::Answer};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{CreateChannelRequest, CreateChannelResponse};
use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::{ProtoEnum as _, list, text};
use tonic::{Request, Response};

use crate::{
    Messaging,
    domain::{ChannelKind, channel::MAX_URL},
    present,
    store::channels::{self, Record},
};

/// The longest name, in characters.
const MAX_TOPIC: usize = 100;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1000;
/// Participants or announcers at most.
const MAX_MEMBERS: usize = 100;

impl Messaging {
    /// Creates a channel and its members.
    ///
    /// # Errors
    /// Those of the fields, USER_NOT_FOUND, ALREADY_EXISTS when the url is taken.
    pub(crate) async fn create_channel(
        &self,
        request: Request<CreateChannelRequest>,
    ) -> Result<Response<CreateChannelResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let record = self.new_channel(&write.caller, request).await?;
            let transaction = write.begin().await?;
            channels::insert(&transaction, &record).await?;
            let channel = Some(present::channel(record));
            write
                .finish(transaction, CreateChannelResponse { channel })
                .await
        });
        write.await
    }

    /// The channel that a request describes, checked.
    async fn new_channel(&self, caller: &Caller, request: CreateChannelRequest) -> Result<Record> {
        let (directory, community) = (&self.0.directory, caller.community);
        let mut channel = settings(caller, &request)?;
        let creator = directory.get(community, caller.user()).await?;
        channel.creator_number = creator.number;
        let participants = directory
            .resolve_all(community, "participants", &request.participants)
            .await?;
        let announcers = directory
            .resolve_all(community, "announcers", &request.announcers)
            .await?;
        Ok(Record {
            participants: participants_of(channel.kind, &participants)?,
            announcers: announcers_of(channel.kind, &announcers, &creator),
            channel,
        })
    }
}

/// The settings of a new channel as the request gives them; the creator's number is still missing.
fn settings(caller: &Caller, request: &CreateChannelRequest) -> Result<channels::Model> {
    let kind = ChannelKind::require("type", request.r#type)?;
    check_members(kind, request)?;
    let now = Timestamp::now().as_millis();
    Ok(channels::Model {
        community_id: caller.community,
        id: ChannelId::generate(),
        topic: text::line("topic", &request.topic, MAX_TOPIC)?,
        kind,
        description: text::optional("description", &request.description, MAX_DESCRIPTION)?,
        creator_id: caller.user(),
        creator_number: 0,
        frozen: false,
        url: url(&request.url)?,
        last_seq: 0,
        created_at: now,
        updated_at: now,
    })
}

/// The url of a new channel; none when it is empty.
fn url(url: &str) -> Result<Option<String>> {
    let url = text::optional_line("url", url, MAX_URL)?;
    if url.parse::<ChannelId>().is_ok() {
        return Err(Error::invalid(
            "url",
            "url must not look like an id (24 hexadecimal characters)",
        ));
    }
    Ok(Some(url).filter(|url| !url.is_empty()))
}

/// Only the kinds of channels that have participants or announcers may name some.
fn check_members(kind: ChannelKind, request: &CreateChannelRequest) -> Result<()> {
    for (field, members, allowed) in [
        ("participants", &request.participants, ChannelKind::Dm),
        ("announcers", &request.announcers, ChannelKind::Announcement),
    ] {
        if kind != allowed && !members.is_empty() {
            return Err(Error::invalid(
                field,
                format!("This type of channel has no {field}"),
            ));
        }
        list::at_most(field, members, MAX_MEMBERS)?;
    }
    Ok(())
}

fn participants_of(kind: ChannelKind, members: &[Arc<User>]) -> Result<Vec<UserId>> {
    let participants = distinct(members);
    if kind == ChannelKind::Dm && participants.len() < 2 {
        return Err(Error::invalid(
            "participants",
            "A dm channel needs at least two participants",
        ));
    }
    Ok(participants)
}

fn announcers_of(kind: ChannelKind, members: &[Arc<User>], creator: &User) -> Vec<UserId> {
    let announcers = distinct(members);
    if kind == ChannelKind::Announcement && announcers.is_empty() {
        return vec![creator.id];
    }
    announcers
}

fn distinct(members: &[Arc<User>]) -> Vec<UserId> {
    let mut seen = HashSet::new();
    let ids = members.iter().map(|member| member.id);
    ids.filter(|id| seen.insert(*id)).collect()
}
