//! What a message resource shows only when it is asked for.

use futures::{StreamExt, TryStreamExt, stream};
use guildhall_proto::messaging::v1::{
    GetMessageRequest, ListMessagesRequest, ListReactionsRequest, Message, MessageReference,
    message_reference::Reference,
};
use guildhall_runtime::{Error, ErrorKind};

use super::{
    FoundChannel,
    resource::{Extras, MessageResource, ReactionResource, ThreadInfo},
};
use crate::{
    call::Call,
    failure::Result,
    upstream::{Messages, Reactions, Services},
};

/// Messages of a page whose extras are fetched at once.
const AT_ONCE: usize = 8;
/// Replies from which a thread's summary is made.
const LATEST_REPLIES: i32 = 20;

/// Which extras are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub reactions: bool,
    pub thread: bool,
    pub parent: bool,
    pub metaarray: bool,
}

/// The resources of messages, in their order, with what is wanted. A message costs a call for
/// each extra that it really has.
pub async fn resources(
    services: &Services,
    call: &Call,
    channel: &FoundChannel,
    messages: Vec<Message>,
    wanted: Wanted,
) -> Result<Vec<MessageResource>> {
    stream::iter(messages)
        .map(|message| resource(services, call, channel, message, wanted))
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// The resource of one message, with what is wanted.
pub async fn resource(
    services: &Services,
    call: &Call,
    channel: &FoundChannel,
    message: Message,
    wanted: Wanted,
) -> Result<MessageResource> {
    let (reactions, thread, parent) = futures::try_join!(
        async {
            Ok(match wanted.reactions {
                true => Some(reactions(services, call, &message).await?),
                false => None,
            })
        },
        async {
            Ok(match wanted.thread {
                true => Some(thread(services, call, &message).await?),
                false => None,
            })
        },
        async {
            match wanted.parent {
                true => parent(services, call, &message).await,
                false => Ok(None),
            }
        },
    )?;
    let extras = Extras {
        reactions,
        thread,
        parent,
        with_metaarray: wanted.metaarray,
    };
    Ok(MessageResource::new(message, channel, extras))
}

async fn reactions(
    services: &Services,
    call: &Call,
    message: &Message,
) -> Result<Vec<ReactionResource>> {
    if message.reactions.is_empty() {
        return Ok(Vec::new());
    }
    let request = call.request(ListReactionsRequest {
        message: by_id(&message.id),
        include_users: true,
    });
    let answer = services
        .client::<Reactions>()
        .list_reactions(request)
        .await?;
    let reactions = answer.into_inner().reactions;
    Ok(reactions.into_iter().map(Into::into).collect())
}

async fn thread(services: &Services, call: &Call, message: &Message) -> Result<ThreadInfo> {
    if message.reply_count == 0 {
        return Ok(ThreadInfo::new(message, Vec::new()));
    }
    let request = call.request(ListMessagesRequest {
        channel: message.channel_id.clone(),
        parent: by_id(&message.id),
        page_size: LATEST_REPLIES,
        ..ListMessagesRequest::default()
    });
    let answer = services.client::<Messages>().list_messages(request).await?;
    Ok(ThreadInfo::new(message, answer.into_inner().messages))
}

async fn parent(services: &Services, call: &Call, message: &Message) -> Result<Option<Message>> {
    let Some(parent) = &message.parent else {
        return Ok(None);
    };
    let request = call.request(GetMessageRequest {
        message: by_id(&parent.id),
    });
    match services
        .client::<Messages>()
        .get_message(request)
        .await
        .map_err(Error::from)
    {
        Ok(answer) => Ok(answer.into_inner().message),
        // It was removed meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn by_id(id: &str) -> Option<MessageReference> {
    Some(MessageReference {
        reference: Some(Reference::Id(id.to_owned())),
        channel: String::new(),
        include_encrypted: false,
    })
}
