//! Messages of the Sendbird facade (contract: sendbird, "2. Messages").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{GetMessageRequest, Message};
use guildhall_runtime::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    ChannelPath, FIELDS, MessagePath, Place, access,
    extras::{Extras, Wanted, resource, resources},
    new_message::{NewMessage, Written},
    resource::MessageResource,
    window::WindowQuery,
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::Family,
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    upstream::Services,
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoint = |id, title, handler| {
        Endpoint::new(id, title, Family::Sendbird, access(), handler).naming(FIELDS)
    };
    vec![
        endpoint(
            "sb-messages-send",
            "Send a message (thread reply with parent_message_id)",
            routes!(send),
        )
        .calls("/guildhall.messaging.v1.MessageService/SendMessage")
        .refusing(&[
            Reason::ChannelNotFound,
            Reason::UserNotFound,
            Reason::SenderNotAllowed,
            Reason::ChannelFrozen,
        ]),
        endpoint(
            "sb-messages-list",
            "List messages (thread with parent_message_id)",
            routes!(list),
        )
        .calls("/guildhall.messaging.v1.MessageService/ListMessages")
        .refusing(&[Reason::ChannelNotFound]),
        endpoint("sb-messages-get", "View a message", routes!(get))
            .calls("/guildhall.messaging.v1.MessageService/GetMessage")
            .refusing(&[Reason::MessageNotFound]),
    ]
}

/// Sends a message as a member, or as the administration. It is on disk when the answer comes.
#[utoipa::path(
    post,
    path = "/v3/{channel_type}/{channel_url}/messages",
    tag = "Sendbird: messages",
    params(
        ("channel_type" = String, Path, description = "`group_channels` or `open_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
    ),
    request_body(content = NewMessage, example = json!({
        "message_type": "MESG", "user_id": "Jessie", "message": "Hello!"
    })),
    responses((status = 200, description = "Stored", body = MessageResource, example = json!({
        "message_id": 711, "type": "MESG", "custom_type": "", "channel_url": "general",
        "channel_type": "group", "message": "Hello!", "data": "", "silent": false,
        "user": { "user_id": "Jessie", "nickname": "Jessie", "profile_url": "" },
        "created_at": 1_577_327_594_231_i64, "updated_at": 0
    })))
)]
async fn send(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChannelPath>,
    Input(new): Input<NewMessage>,
) -> Result<(Replayed, Json<MessageResource>)> {
    let place = Place::try_from(path)?;
    place.require(&services, &call).await?;
    let (replayed, message) = store(&services, &call, &place, new.written()?).await?;
    let extras = Extras {
        with_metaarray: true,
        ..Extras::default()
    };
    let message = sent(message, "the stored message")?;
    let resource = MessageResource::new(message, &place, extras);
    Ok((replayed, Json(resource)))
}

async fn store(
    services: &Services,
    call: &Call,
    place: &Place,
    written: Written,
) -> Result<(Replayed, Option<Message>)> {
    Ok(match written.parent {
        None => {
            let request = call.request(written.to(place));
            let answer = services.messages().send_message(request).await?;
            (Replayed::of(&answer), answer.into_inner().message)
        }
        Some(parent) => {
            let request = call.request(written.replying(place, parent));
            let answer = services.messages().reply_message(request).await?;
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

/// The messages before and after a point.
#[utoipa::path(
    get,
    path = "/v3/{channel_type}/{channel_url}/messages",
    tag = "Sendbird: messages",
    params(
        ("channel_type" = String, Path, description = "`group_channels` or `open_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
        WindowQuery,
    ),
    responses((status = 200, description = "The messages", body = MessageList, example = json!({
        "messages": [{
            "message_id": 711, "type": "MESG", "custom_type": "", "channel_url": "general",
            "channel_type": "group", "message": "Hello!", "data": "", "silent": false,
            "user": { "user_id": "Jessie", "nickname": "Jessie", "profile_url": "" },
            "created_at": 1_577_327_594_231_i64, "updated_at": 0
        }]
    })))
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChannelPath>,
    Query(query): Query<WindowQuery>,
) -> Result<Json<MessageList>> {
    let place = Place::try_from(path)?;
    place.require(&services, &call).await?;
    let found = query.window(&place)?.fetch(&services, &call).await?;
    let messages = resources(&services, &call, &place, found, query.wanted()).await?;
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

/// One message.
#[utoipa::path(
    get,
    path = "/v3/{channel_type}/{channel_url}/messages/{message_id}",
    tag = "Sendbird: messages",
    params(
        ("channel_type" = String, Path, description = "`group_channels` or `open_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
        ("message_id" = i64, Path),
        GetQuery,
    ),
    responses((status = 200, description = "The message", body = MessageResource, example = json!({
        "message_id": 711, "type": "MESG", "custom_type": "", "channel_url": "general",
        "channel_type": "group", "message": "Hello!", "data": "", "silent": false,
        "user": { "user_id": "Jessie", "nickname": "Jessie", "profile_url": "" },
        "created_at": 1_577_327_594_231_i64, "updated_at": 0
    })))
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(query): Query<GetQuery>,
) -> Result<Json<MessageResource>> {
    let (place, number) = path.parse()?;
    place.require(&services, &call).await?;
    let request = call.request(GetMessageRequest {
        message: place.message(number),
    });
    let answer = services.messages().get_message(request).await?;
    let message = sent(answer.into_inner().message, "a message")?;
    let wanted = Wanted {
        reactions: query.include_reactions.unwrap_or(false),
        thread: query.include_thread_info.unwrap_or(false),
        parent: query.include_parent_message_info.unwrap_or(false),
        metaarray: query.with_sorted_meta_array.unwrap_or(false),
    };
    Ok(Json(
        resource(&services, &call, &place, message, wanted).await?,
    ))
}
