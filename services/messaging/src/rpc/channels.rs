//! Making, getting and listing channels.

use std::{collections::HashSet, sync::Arc};

use guildhall_auth::{Authority, Caller, CallerExt, ChannelLimit, caller::answer};
use guildhall_data::{ChannelId, Claim, Database, UserId, idempotency::Answer, page};
use guildhall_proto::messaging::v1::{
    CreateChannelRequest, CreateChannelResponse, GetChannelRequest, GetChannelResponse,
    ListChannelsRequest, ListChannelsResponse, channel_service_server::ChannelService,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use tonic::{Request, Response, Status};

use crate::{
    Messaging,
    domain::{ChannelKind, Member, access::channel_not_found, text},
    present,
    rooms::MAX_URL,
    store::channels::{self, Direct, Position, Record, Scope},
};

const CREATE: &str = "/guildhall.messaging.v1.ChannelService/CreateChannel";
/// The longest name, in characters.
const MAX_TOPIC: usize = 100;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1000;
/// Participants or announcers at most.
const MAX_MEMBERS: usize = 100;
/// Channels of a page, at most and when the request does not say.
const PAGE: u64 = 500;

#[tonic::async_trait]
impl ChannelService for Messaging {
    async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Result<Response<ListChannelsResponse>, Status> {
        let caller = request.caller()?;
        let request = request.into_inner();
        let size = page::size(request.page_size, PAGE, PAGE)?;
        let after = position(&request.page_token)?;
        let scope = scope(&caller, ChannelKind::from_proto(request.r#type()));
        let connection = self.0.database.reader();
        let rows = channels::list(connection, caller.community, scope, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, |row| {
            (row.channel.created_at, row.channel.id.to_string())
        });
        let channels = rows.into_iter().map(present::channel).collect();
        Ok(Response::new(ListChannelsResponse {
            channels,
            next_page_token,
        }))
    }

    async fn get_channel(
        &self,
        request: Request<GetChannelRequest>,
    ) -> Result<Response<GetChannelResponse>, Status> {
        let caller = request.caller()?;
        let channel = self
            .readable_channel(&caller, &request.get_ref().channel)
            .await?;
        // The counter in the answer is the present one, which is not remembered.
        let record = channels::get(self.0.database.reader(), caller.community, channel.id).await?;
        let channel = Some(present::channel(record.ok_or_else(channel_not_found)?));
        Ok(Response::new(GetChannelResponse { channel }))
    }

    async fn create_channel(
        &self,
        request: Request<CreateChannelRequest>,
    ) -> Result<Response<CreateChannelResponse>, Status> {
        Ok(self.create(request).await?)
    }
}

impl Messaging {
    async fn create(
        &self,
        request: Request<CreateChannelRequest>,
    ) -> Result<Response<CreateChannelResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let ticket = match self
            .0
            .idempotency
            .claim(key, CREATE, &request, Answer::Plain)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let record = self.new_channel(&caller, request).await?;
        let transaction = self.0.database.begin().await?;
        channels::insert(&transaction, &record).await?;
        let response = CreateChannelResponse {
            channel: Some(present::channel(record)),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        Ok(answer(response, false))
    }

    /// The channel that a request asks for, checked.
    async fn new_channel(&self, caller: &Caller, request: CreateChannelRequest) -> Result<Record> {
        let (directory, community) = (&self.0.directory, caller.community);
        let mut channel = settings(caller, &request)?;
        let creator = directory.member(community, caller.user()).await?;
        channel.creator_number = creator.author.number;
        let participants = directory
            .resolve_all(community, &request.participants)
            .await?;
        let announcers = directory
            .resolve_all(community, &request.announcers)
            .await?;
        Ok(Record {
            participants: participants_of(channel.kind, &participants)?,
            announcers: announcers_of(channel.kind, &announcers, &creator),
            channel,
        })
    }
}

/// What a new channel is by the request alone; its creator's number is yet to be asked for.
fn settings(caller: &Caller, request: &CreateChannelRequest) -> Result<channels::Model> {
    let kind = ChannelKind::from_proto(request.r#type());
    let kind = kind.ok_or_else(|| Error::missing("type"))?;
    check_members(kind, request)?;
    let now = Timestamp::now().as_millis();
    Ok(channels::Model {
        community_id: caller.community,
        id: ChannelId::generate(),
        topic: text::required("topic", &request.topic, MAX_TOPIC)?,
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
    let url = text::optional("url", url, MAX_URL)?;
    if url.contains(char::is_control) {
        return Err(Error::invalid(
            "url",
            "url must not contain control characters",
        ));
    }
    if url.parse::<ChannelId>().is_ok() {
        return Err(Error::invalid(
            "url",
            "url must not look like an id (24 hexadecimal characters)",
        ));
    }
    Ok(Some(url).filter(|url| !url.is_empty()))
}

/// Members are named where their kind of channel has them.
fn check_members(kind: ChannelKind, request: &CreateChannelRequest) -> Result<()> {
    for (field, members, wanted) in [
        ("participants", &request.participants, ChannelKind::Dm),
        ("announcers", &request.announcers, ChannelKind::Announcement),
    ] {
        if kind != wanted && !members.is_empty() {
            return Err(Error::invalid(
                field,
                format!("This type of channel has no {field}"),
            ));
        }
        if members.len() > MAX_MEMBERS {
            let description = format!("{field} must be at most {MAX_MEMBERS}");
            return Err(Error::violation(Reason::ValueTooLong, field, description));
        }
    }
    Ok(())
}

fn participants_of(kind: ChannelKind, members: &[Arc<Member>]) -> Result<Vec<UserId>> {
    let participants = distinct(members);
    if kind == ChannelKind::Dm && participants.len() < 2 {
        return Err(Error::invalid(
            "participants",
            "A dm channel needs at least two participants",
        ));
    }
    Ok(participants)
}

fn announcers_of(kind: ChannelKind, members: &[Arc<Member>], creator: &Member) -> Vec<UserId> {
    let announcers = distinct(members);
    if kind == ChannelKind::Announcement && announcers.is_empty() {
        return vec![creator.id];
    }
    announcers
}

fn distinct(members: &[Arc<Member>]) -> Vec<UserId> {
    let mut seen = HashSet::new();
    members
        .iter()
        .map(|member| member.id)
        .filter(|id| seen.insert(*id))
        .collect()
}

/// What the caller may list.
fn scope(caller: &Caller, kind: Option<ChannelKind>) -> Scope<'_> {
    let direct = match &caller.authority {
        Authority::SystemKey { .. } | Authority::SendbirdToken { .. } => Direct::All,
        Authority::CommunityKey { .. } => Direct::None,
        Authority::UserKey { owner, .. } => Direct::Of(*owner),
        Authority::Member { user, .. } => Direct::Of(*user),
    };
    let only = match caller.channels() {
        ChannelLimit::Any => None,
        ChannelLimit::Only(channels) => Some(&**channels),
    };
    Scope { kind, direct, only }
}

fn position(token: &str) -> Result<Option<Position>> {
    let cursor = page::decode::<(i64, String)>(token)?;
    let position = |(created_at, id): (i64, String)| {
        Ok(Position {
            created_at,
            id: id.parse()?,
        })
    };
    cursor.map(position).transpose()
}
