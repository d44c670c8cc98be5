//! Every authenticated operation of the REST contract as one table: how it is called well.

use guildhall_testkit::{Answer, Call, Rest};
use http::Method;
use serde_json::{Value, json};

use crate::{Credential, Family, Place};

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The community's one system key.
    SystemKey,
    /// A key that admins made.
    CommunityKey,
    /// A key that a member made.
    UserKey,
    /// A logged-in member.
    Jwt,
    /// A token of the Sendbird facade.
    SendbirdToken,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::SystemKey,
        Self::CommunityKey,
        Self::UserKey,
        Self::Jwt,
        Self::SendbirdToken,
    ];
}

/// An operation, in one family of answers.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id in the contract.
    pub id: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// Path and query; `{…}` are fields of a [`Place`].
    pub path: &'static str,
    /// A body that the contract shows.
    pub body: Option<fn(&Place) -> Value>,
    /// The shape of its answers.
    pub family: Family,
    /// The credentials that it takes.
    pub kinds: &'static [Kind],
    /// The permission that a community key or user key must carry.
    pub permission: Option<&'static str>,
    /// The status of success.
    pub success: u16,
}

impl Operation {
    /// The operation of this id; of several, the first.
    #[must_use]
    pub fn named(id: &str) -> &'static Self {
        let found = OPERATIONS.iter().find(|operation| operation.id == id);
        found.unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// Those that take an Idempotency-Key.
    pub fn posts() -> impl Iterator<Item = &'static Self> {
        OPERATIONS
            .iter()
            .filter(|operation| operation.method == Method::POST)
    }

    /// Whether an answer says that what the operation removes was removed before.
    #[must_use]
    pub fn finds_it_gone(&self, answer: &Answer) -> bool {
        ["reactions-remove", "webhooks-in-delete"].contains(&self.id) && answer.status == 404
    }

    /// The call without credential and body.
    #[must_use]
    pub fn bare(&self, rest: &Rest, place: &Place) -> Call {
        rest.call(self.method.clone(), &place.fill(self.path))
    }

    /// The call without credential.
    #[must_use]
    pub fn unsigned(&self, rest: &Rest, place: &Place) -> Call {
        let call = self.bare(rest, place);
        match self.body {
            Some(body) => call.json(&body(place)),
            None => call,
        }
    }

    /// The whole call.
    #[must_use]
    pub fn call(&self, rest: &Rest, place: &Place, credential: &Credential) -> Call {
        credential.sign(self.unsigned(rest, place))
    }

    /// Makes the whole call.
    pub async fn make(&self, rest: &Rest, place: &Place, credential: &Credential) -> Answer {
        self.call(rest, place, credential).send().await
    }
}

const BEARER_KEYS: &[Kind] = &[Kind::CommunityKey, Kind::UserKey];
const SENDBIRD: &[Kind] = &[Kind::SendbirdToken];
const JWT: &[Kind] = &[Kind::Jwt];
const ADMINS: &[Kind] = &[Kind::CommunityKey, Kind::Jwt];

/// The table. What comes later may build on what came before: a reaction is added, then removed.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        id: "auth-login",
        method: Method::POST,
        path: "/v1/auth/login",
        body: Some(|place| json!({ "email": place.email, "password": place.password })),
        family: Family::E3,
        kinds: &[Kind::SystemKey],
        permission: None,
        success: 200,
    },
    Operation {
        id: "channels-list",
        method: Method::GET,
        path: "/v1/channels",
        body: None,
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("getChannels"),
        success: 200,
    },
    Operation {
        id: "channels-list",
        method: Method::GET,
        path: "/v1/channels",
        body: None,
        family: Family::E3,
        kinds: &[Kind::SystemKey],
        permission: None,
        success: 200,
    },
    Operation {
        id: "channels-create",
        method: Method::POST,
        path: "/v1/channels",
        body: Some(|_| json!({ "topic": "Lounge", "channelType": "open" })),
        family: Family::E3,
        kinds: &[Kind::SystemKey, Kind::CommunityKey],
        permission: Some("manageChannels"),
        success: 200,
    },
    Operation {
        id: "messages-list",
        method: Method::GET,
        path: "/v1/messages?channel_id={channel}",
        body: None,
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("getMessages"),
        success: 200,
    },
    Operation {
        id: "messages-get",
        method: Method::GET,
        path: "/v1/messages/{message}",
        body: None,
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("getMessages"),
        success: 200,
    },
    Operation {
        id: "messages-send",
        method: Method::POST,
        path: "/v1/messages/send",
        body: Some(
            |place| json!({ "channelId": place.channel, "message": "Hello!", "sender": place.sender }),
        ),
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("sendMessage"),
        success: 200,
    },
    Operation {
        id: "messages-reply",
        method: Method::POST,
        path: "/v1/messages/reply",
        body: Some(
            |place| json!({ "messageId": place.message, "message": "Hello back!", "sender": place.sender }),
        ),
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("replyMessage"),
        success: 200,
    },
    Operation {
        id: "messages-react",
        method: Method::POST,
        path: "/v1/messages/react",
        body: Some(
            |place| json!({ "messageId": place.message, "emoji": ":tada:", "sender": place.sender }),
        ),
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("replyMessage"),
        success: 200,
    },
    Operation {
        id: "reactions-list",
        method: Method::GET,
        path: "/v1/messages/{message}/reactions",
        body: None,
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("getMessages"),
        success: 200,
    },
    Operation {
        id: "reactions-remove",
        method: Method::DELETE,
        path: "/v1/messages/{message}/reactions",
        body: Some(|place| json!({ "emoji": ":tada:", "sender": place.sender })),
        family: Family::E1,
        kinds: BEARER_KEYS,
        permission: Some("replyMessage"),
        success: 200,
    },
    Operation {
        id: "apikeys-info",
        method: Method::GET,
        path: "/v1/users/apikeys/info",
        body: None,
        family: Family::E2,
        kinds: BEARER_KEYS,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-messages-send",
        method: Method::POST,
        path: "/v3/group_channels/{url}/messages",
        body: Some(
            |place| json!({ "message_type": "MESG", "user_id": place.sender, "message": "Hello!" }),
        ),
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-messages-get",
        method: Method::GET,
        path: "/v3/group_channels/{url}/messages/{number}",
        body: None,
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-messages-list",
        method: Method::GET,
        path: "/v3/group_channels/{url}/messages?message_ts=9000000000000",
        body: None,
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-reactions-add",
        method: Method::POST,
        path: "/v3/group_channels/{url}/messages/{number}/reactions",
        body: Some(|place| json!({ "user_id": place.sender, "reaction": "celebrate" })),
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-reactions-list",
        method: Method::GET,
        path: "/v3/group_channels/{url}/messages/{number}/reactions",
        body: None,
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "sb-reactions-remove",
        method: Method::DELETE,
        path: "/v3/group_channels/{url}/messages/{number}/reactions?user_id={sender}&reaction=celebrate",
        body: None,
        family: Family::Sendbird,
        kinds: SENDBIRD,
        permission: None,
        success: 200,
    },
    Operation {
        id: "mb-messages-send",
        method: Method::POST,
        path: "/api/chat/projects/{project}/chats/{chat}/messages",
        body: Some(|_| json!({ "type": "text", "content": "Hello!" })),
        family: Family::Mudbase,
        kinds: JWT,
        permission: None,
        success: 201,
    },
    Operation {
        id: "mb-messages-list",
        method: Method::GET,
        path: "/api/chat/projects/{project}/chats/{chat}/messages",
        body: None,
        family: Family::Mudbase,
        kinds: JWT,
        permission: None,
        success: 200,
    },
    Operation {
        id: "mb-reactions-add",
        method: Method::POST,
        path: "/api/chat/projects/{project}/chats/{chat}/messages/{chat_message}/reactions",
        body: Some(|_| json!({ "emoji": "👍" })),
        family: Family::Mudbase,
        kinds: JWT,
        permission: None,
        success: 200,
    },
    Operation {
        id: "mb-reactions-remove",
        method: Method::DELETE,
        path: "/api/chat/projects/{project}/chats/{chat}/messages/{chat_message}/reactions",
        body: Some(|_| json!({ "emoji": "👍" })),
        family: Family::Mudbase,
        kinds: JWT,
        permission: None,
        success: 200,
    },
    Operation {
        id: "webhooks-out-list",
        method: Method::GET,
        path: "/v1/webhooks/outgoing",
        body: None,
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 200,
    },
    Operation {
        id: "webhooks-in-list",
        method: Method::GET,
        path: "/v1/webhooks/incoming",
        body: None,
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 200,
    },
    Operation {
        id: "webhooks-in-create",
        method: Method::POST,
        path: "/v1/webhooks/incoming",
        // Whether channel and sender are there is found out by the calls.
        body: Some(|_| {
            json!({
                "name": "News", "kind": "send_message",
                "settings": { "channelId": "ca0000000000000000000001", "sender": "newsbot" }
            })
        }),
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 201,
    },
    Operation {
        id: "webhooks-in-get",
        method: Method::GET,
        path: "/v1/webhooks/incoming/{incoming}",
        body: None,
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 200,
    },
    Operation {
        id: "webhooks-in-update",
        method: Method::PATCH,
        path: "/v1/webhooks/incoming/{incoming}",
        body: Some(|_| json!({ "name": "Newer news" })),
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 200,
    },
    Operation {
        id: "webhooks-in-delete",
        method: Method::DELETE,
        path: "/v1/webhooks/incoming/{incoming}",
        body: None,
        family: Family::E2,
        kinds: ADMINS,
        permission: Some("webhooks"),
        success: 200,
    },
];
