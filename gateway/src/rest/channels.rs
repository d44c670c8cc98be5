//! Channels (contract: messaging, "1. Channels").

use axum::{Json, extract::State};
use guildhall_auth::CredentialKind;
use guildhall_proto::messaging::v1::{
    Channel, ChannelType, CreateChannelRequest, ListChannelsRequest,
};
use guildhall_runtime::{Error, Reason};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{RefOr, Schema, schema::OneOfBuilder},
};

use crate::{
    call::{Call, Replayed},
    document::{Body, Media, Schemas, named},
    endpoint::Endpoint,
    envelope::{Family, integration::Integration, system::System},
    extract::{Input, Query},
    failure::{Result, sent},
    moment::iso,
    sample,
    schema::{Moment, Name, ObjectId, UserReference},
    upstream::Channels,
};

/// Channels per call of the service.
const PAGE: i32 = 500;
/// The most channels that a list holds: the contract gives it no paging.
const MAX_LISTED: usize = 10_000;
/// Members come by JWT once the services know what to show whom (contract: settlements, parts 6 and 7).
const MEMBERS: &[CredentialKind] = &[CredentialKind::Jwt];
/// What the contract knows and the platform does not have yet.
const NOT_BUILT: &str = "Channels of type whisper, iframe, audio and video, categories and \
                         freezing are not available yet";

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("channels-list", list, || for_keys(vec![sample::channel()]))
            .about(
                "The channels that the caller may use, the 10,000 oldest at most. A system key is \
                 answered in envelope E3, with whole records.",
            )
            .without(MEMBERS)
            .answering(
                200,
                "for system keys",
                Media::of_answer(|| for_system_keys(vec![sample::channel()], sample::COMMUNITY_ID)),
            )
            .answering_system_keys_in(Family::System)
            .calls("/guildhall.messaging.v1.ChannelService/ListChannels"),
        Endpoint::taking("channels-create", create, NewChannel::example, || {
            created(sample::channel(), sample::COMMUNITY_ID)
        })
        .about(
            "Makes a channel in the key's community. The types `whisper`, `iframe`, `audio` and \
             `video`, and the fields `categoryId`, `whisperers`, `iframe` and `frozen`, are not \
             available yet: 501.",
        )
        .without(MEMBERS)
        .calls("/guildhall.messaging.v1.ChannelService/CreateChannel")
        .naming(&[("type", "channelType")])
        .refusing(&[
            Reason::UserNotFound,
            Reason::AlreadyExists,
            Reason::NotImplemented,
        ]),
    ]
}

/// The kinds of channels that the contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChannelKind {
    #[serde(alias = "text")]
    Open,
    Whisper,
    Announcement,
    #[serde(alias = "direct")]
    Dm,
    Forum,
    Iframe,
    Audio,
    #[serde(alias = "stage")]
    Video,
}

impl ChannelKind {
    /// As messaging knows it; none for kinds that it does not have yet.
    fn built(self) -> Option<ChannelType> {
        match self {
            Self::Open => Some(ChannelType::Open),
            Self::Announcement => Some(ChannelType::Announcement),
            Self::Dm => Some(ChannelType::Dm),
            Self::Forum => Some(ChannelType::Forum),
            Self::Whisper | Self::Iframe | Self::Audio | Self::Video => None,
        }
    }
}

impl From<ChannelType> for ChannelKind {
    fn from(kind: ChannelType) -> Self {
        match kind {
            ChannelType::Unspecified | ChannelType::Open => Self::Open,
            ChannelType::Announcement => Self::Announcement,
            ChannelType::Dm => Self::Dm,
            ChannelType::Forum => Self::Forum,
        }
    }
}

/// A channel, for Bearer keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ListedChannel {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    topic: String,
    channel_type: ChannelKind,
}

impl From<Channel> for ListedChannel {
    fn from(channel: Channel) -> Self {
        Self {
            channel_type: channel.r#type().into(),
            id: channel.id,
            topic: channel.topic,
        }
    }
}

/// A channel, for system keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChannelRecord {
    topic: String,
    /// Roles that may enter; empty for every member.
    #[schema(value_type = Vec<ObjectId>)]
    permissions: Vec<String>,
    /// The small numeric id of the creator, as text.
    user_id: String,
    /// The community.
    #[schema(value_type = ObjectId)]
    server_id: String,
    channel_type: ChannelKind,
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    #[schema(value_type = Moment)]
    created_at: String,
    #[schema(value_type = Moment)]
    updated_at: String,
    /// Always 0.
    #[serde(rename = "__v")]
    version: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<ObjectId>)]
    participants: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<ObjectId>)]
    announcers: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    frozen: bool,
}

impl ChannelRecord {
    fn new(channel: Channel, community: &str) -> Self {
        Self {
            channel_type: channel.r#type().into(),
            topic: channel.topic,
            permissions: channel.role_ids,
            user_id: channel.creator_number.to_string(),
            server_id: community.to_owned(),
            id: channel.id,
            created_at: iso(channel.create_time),
            updated_at: iso(channel.update_time),
            version: 0,
            description: channel.description,
            participants: channel.participant_ids,
            announcers: channel.announcer_ids,
            frozen: channel.frozen,
        }
    }
}

/// The list, in the envelope of the credential.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ChannelList {
    /// For Bearer keys.
    Keys(Integration<Vec<ListedChannel>>),
    /// For system keys.
    SystemKey(System<Vec<ChannelRecord>>),
}

impl Body for ChannelList {
    fn component() -> String {
        "ChannelList".to_owned()
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let forms = [
            Integration::<Vec<ListedChannel>>::describe(schemas),
            System::<Vec<ChannelRecord>>::describe(schemas),
        ];
        let one_of = forms
            .into_iter()
            .fold(OneOfBuilder::new(), OneOfBuilder::item);
        named(schemas, Self::component(), one_of.into())
    }
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    /// Only channels of this type; `text`, `direct` and `stage` mean `open`, `dm` and `video`.
    #[param(inline)]
    channel_type: Option<ChannelKind>,
}

async fn list(
    State(all): State<Channels>,
    call: Call,
    Query(query): Query<ListQuery>,
) -> Result<Json<ChannelList>> {
    let channels = match query.channel_type.map(ChannelKind::built) {
        // The platform has no channel of such a kind.
        Some(None) => Vec::new(),
        Some(Some(kind)) => list_all(all, &call, kind).await?,
        None => list_all(all, &call, ChannelType::Unspecified).await?,
    };
    if call.family() == Family::System {
        let community = call.community()?.to_string();
        return Ok(Json(for_system_keys(channels, &community)));
    }
    Ok(Json(for_keys(channels)))
}

fn for_keys(channels: Vec<Channel>) -> ChannelList {
    let listed = channels.into_iter().map(ListedChannel::from).collect();
    ChannelList::Keys(Integration::new("Channels fetched successfully", listed))
}

fn for_system_keys(channels: Vec<Channel>, community: &str) -> ChannelList {
    let records = channels
        .into_iter()
        .map(|channel| ChannelRecord::new(channel, community));
    let message = "Channels have been fetched successfully";
    ChannelList::SystemKey(System::new(message, records.collect()))
}

async fn list_all(mut all: Channels, call: &Call, kind: ChannelType) -> Result<Vec<Channel>> {
    let mut channels = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = call.request(ListChannelsRequest {
            page_size: PAGE,
            page_token,
            r#type: kind.into(),
        });
        let page = all.list_channels(request).await?.into_inner();
        channels.extend(page.channels);
        page_token = page.next_page_token;
        if page_token.is_empty() || channels.len() >= MAX_LISTED {
            return Ok(channels);
        }
    }
}

/// A channel to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewChannel {
    /// The name shown; `title` means the same.
    #[serde(alias = "title")]
    #[schema(value_type = Name)]
    topic: String,
    /// `text`, `direct` and `stage` mean `open`, `dm` and `video`.
    channel_type: ChannelKind,
    /// At most 1,000 characters.
    #[schema(max_length = 1_000, pattern = r"^[^\x00]*$")]
    description: Option<String>,
    /// At least two users, in a `dm`.
    #[schema(value_type = Option<Vec<UserReference>>, max_items = 100)]
    participants: Option<Vec<String>>,
    /// Users who may write, in an `announcement`; the creator alone when left out.
    #[schema(value_type = Option<Vec<UserReference>>, max_items = 100)]
    announcers: Option<Vec<String>>,
    #[schema(ignore)]
    category_id: Option<String>,
    #[schema(ignore)]
    whisperers: Option<Vec<String>>,
    #[schema(ignore)]
    iframe: Option<serde_json::Value>,
    #[schema(ignore)]
    frozen: Option<bool>,
}

impl NewChannel {
    fn example() -> Self {
        Self {
            topic: "Lounge".into(),
            channel_type: ChannelKind::Open,
            description: None,
            participants: None,
            announcers: None,
            category_id: None,
            whisperers: None,
            iframe: None,
            frozen: None,
        }
    }

    /// Whether it asks for what the contract knows and the platform does not have yet.
    fn is_ahead_of_us(&self) -> bool {
        self.category_id.is_some()
            || self.whisperers.is_some()
            || self.iframe.is_some()
            || self.frozen == Some(true)
    }
}

async fn create(
    State(mut channels): State<Channels>,
    call: Call,
    Input(new): Input<NewChannel>,
) -> Result<(Replayed, Json<System<ChannelRecord>>)> {
    let kind = new.channel_type.built().filter(|_| !new.is_ahead_of_us());
    let kind = kind.ok_or_else(|| Error::new(Reason::NotImplemented, NOT_BUILT))?;
    let request = call.request(CreateChannelRequest {
        topic: new.topic,
        r#type: kind.into(),
        description: new.description.unwrap_or_default(),
        participants: new.participants.unwrap_or_default(),
        announcers: new.announcers.unwrap_or_default(),
        url: String::new(),
    });
    let answer = channels.create_channel(request).await?;
    let replayed = Replayed::of(&answer);
    let channel = sent(answer.into_inner().channel, "the new channel")?;
    let community = call.community()?.to_string();
    Ok((replayed, Json(created(channel, &community))))
}

fn created(channel: Channel, community: &str) -> System<ChannelRecord> {
    let record = ChannelRecord::new(channel, community);
    System::new("Channel has been created successfully", record)
}
