//! Messages of the Sendbird facade (contract: sendbird, "2. Messages").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{GetMessageRequest, Message};
use guildhall_runtime::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ChannelPath, ChannelRef, ChannelType, FIELDS, FoundChannel, MessagePath, channel_parameters,
    extras::{Wanted, resource, resources},
    new_message::{CheckedMessage, NewMessage},
    resource::{Extras, MessageResource},
    window::WindowQuery,
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    sample,
    upstream::{Messages, Services},
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoints = vec![
        Endpoint::taking("sb-messages-send", send, NewMessage::example, example)
            .about("Sends a message as a member, or as the administration. It is on disk when the answer comes.")
            .calls("/guildhall.messaging.v1.MessageService/SendMessage")
            .refusing(&[
                Reason::ChannelNotFound,
                Reason::UserNotFound,
                Reason::SenderNotAllowed,
                Reason::ChannelFrozen,
            ]),
        Endpoint::new("sb-messages-list", list, || MessageList { messages: vec![example()] })
            .about("The messages before and after a point. One of `message_ts` and `message_id` is needed.")
            .calls("/guildhall.messaging.v1.MessageService/ListMessages")
            .refusing(&[Reason::ChannelNotFound]),
        Endpoint::new("sb-messages-get", get, example)
            .about("One message.")
            .calls("/guildhall.messaging.v1.MessageService/GetMessage")
            .refusing(&[Reason::MessageNotFound]),
    ];
    let named = endpoints
        .into_iter()
        .map(|endpoint| endpoint.naming(FIELDS).parameters(channel_parameters));
    named.collect()
}

fn example() -> MessageResource {
    let channel = FoundChannel {
        channel_type: ChannelType::GroupChannels,
        id: sample::CHANNEL_ID.into(),
        url: "general".into(),
    };
    MessageResource::new(sample::message(), &channel, Extras::default())
}

async fn send(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChannelPath>,
    Input(new): Input<NewMessage>,
) -> Result<(Replayed, Json<MessageResource>)> {
    let channel = ChannelRef::try_from(path)?;
    let checked = new.checked()?;
    let channel = channel.find(&services, &call).await?;
    let (replayed, message) = store(&services, &call, &channel, checked).await?;
    let extras = Extras {
        with_metaarray: true,
        ..Extras::default()
    };
    let message = sent(message, "the stored message")?;
    let resource = MessageResource::new(message, &channel, extras);
    Ok((replayed, Json(resource)))
}

async fn store(
    services: &Services,
    call: &Call,
    channel: &FoundChannel,
    checked: CheckedMessage,
) -> Result<(Replayed, Option<Message>)> {
    Ok(match checked.parent {
        None => {
            let request = call.request(checked.to(channel));
            let answer = services.client::<Messages>().send_message(request).await?;
            (Replayed::of(&answer), answer.into_inner().message)
        }
        Some(parent) => {
            let request = call.request(checked.replying(channel, parent));
            let answer = services.client::<Messages>().reply_message(request).await?;
            (Replayed::of(&answer), answer.into_inner().message)
        }
    })
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdMessageList)]
struct MessageList {
    messages: Vec<MessageResource>,
}

async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChannelPath>,
    Query(query): Query<WindowQuery>,
) -> Result<Json<MessageList>> {
    let channel = ChannelRef::try_from(path)?;
    let asked = query.checked()?;
    let channel = channel.find(&services, &call).await?;
    let found = asked.window(&services, &call, &channel).await?;
    let found = found.fetch(&services, &call).await?;
    let messages = resources(&services, &call, &channel, found, query.wanted()).await?;
    Ok(Json(MessageList { messages }))
}

/// What to show beside the message.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct GetQuery {
    include_reactions: Option<bool>,
    include_thread_info: Option<bool>,
    include_parent_message_info: Option<bool>,
    with_sorted_meta_array: Option<bool>,
}

async fn get(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(query): Query<GetQuery>,
) -> Result<Json<MessageResource>> {
    let (channel, number) = path.parse()?;
    let channel = channel.find(&services, &call).await?;
    let request = call.request(GetMessageRequest {
        message: channel.message(number),
    });
    let answer = services.client::<Messages>().get_message(request).await?;
    let message = sent(answer.into_inner().message, "a message")?;
    let wanted = Wanted {
        reactions: query.include_reactions.unwrap_or(false),
        thread: query.include_thread_info.unwrap_or(false),
        parent: query.include_parent_message_info.unwrap_or(false),
        metaarray: query.with_sorted_meta_array.unwrap_or(false),
    };
    Ok(Json(
        resource(&services, &call, &channel, message, wanted).await?,
    ))
}
