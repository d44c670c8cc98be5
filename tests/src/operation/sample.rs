//! How each operation is called well: what its row does not say. A line for each row.

use serde_json::{Value, json};

use super::Again;
use crate::Parameters;

/// A good call of an operation.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its id in the contract.
    pub id: &'static str,
    /// The query of the call; `{…}` are fields of a [`Parameters`].
    pub query: &'static str,
    /// A body that the contract shows.
    pub body: Option<fn(&Parameters) -> Value>,
    /// The body's field that holds a text of the caller's own.
    pub text: Option<&'static str>,
    /// The body's field by which one request differs from another.
    pub varies: Option<&'static str>,
    /// What stands there in another request, where not every text may.
    pub other: &'static str,
    /// The collection whose records it makes: `incoming` of `/v1/webhooks/incoming/{webhookId}`.
    pub makes: Option<&'static str>,
    /// What the same call finds once it was made.
    pub again: Again,
    /// Whether members come by JWT, as the row says; it is narrowed else.
    pub members: bool,
    /// Whether a system key is answered in E3, whatever the row says of others.
    pub splits: bool,
}

const fn call(id: &'static str) -> Sample {
    Sample {
        id,
        query: "",
        body: None,
        text: None,
        varies: None,
        other: "another",
        makes: None,
        again: Again::Works,
        members: true,
        splits: false,
    }
}

impl Sample {
    const fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    const fn body(mut self, body: fn(&Parameters) -> Value) -> Self {
        self.body = Some(body);
        self
    }

    const fn text(mut self, field: &'static str) -> Self {
        self.text = Some(field);
        self.varies(field)
    }

    const fn varies(mut self, field: &'static str) -> Self {
        self.varies = Some(field);
        self
    }

    /// The field that varies, where another request has `other`.
    const fn varies_to(mut self, field: &'static str, other: &'static str) -> Self {
        self.other = other;
        self.varies(field)
    }

    /// Each community of a test gets a record by this call, which paths of this collection name.
    const fn makes(mut self, collection: &'static str) -> Self {
        self.makes = Some(collection);
        self
    }

    const fn again(mut self, again: Again) -> Self {
        self.again = again;
        self
    }

    /// The row is narrower than the contract: no JWT is taken yet.
    const fn without_members(mut self) -> Self {
        self.members = false;
        self
    }

    const fn splits(mut self) -> Self {
        self.splits = true;
        self
    }
}

/// The table. What comes later may build on what came before: a reaction is added, then removed.
pub(super) const SAMPLES: &[Sample] = &[
    call("auth-login")
        .body(|parameters| json!({ "email": parameters.email, "password": parameters.password }))
        .varies("password"), // an empty one is a wrong one, and no text
    call("channels-list").without_members().splits(), // the channel list of old answers system keys as it always did
    call("channels-create").without_members()
        .body(|_| json!({ "topic": "Lounge", "channelType": "open" }))
        .text("topic"),
    call("messages-list").without_members().query("?channel_id={channel}"),
    call("messages-get").without_members(),
    call("messages-send").without_members()
        .body(|parameters| json!({ "channelId": parameters.channel, "message": "Hello!", "sender": parameters.sender }))
        .text("message"),
    call("messages-reply").without_members()
        .body(|parameters| json!({ "messageId": parameters.message, "message": "Hello back!", "sender": parameters.sender }))
        .text("message"),
    call("messages-react").without_members()
        .body(|parameters| json!({ "messageId": parameters.message, "emoji": ":tada:", "sender": parameters.sender }))
        .text("emoji"),
    call("reactions-list").without_members(),
    call("reactions-remove").without_members()
        .body(|parameters| json!({ "emoji": ":tada:", "sender": parameters.sender }))
        .text("emoji")
        .again(Again::IsGone), // there is one reaction, whoever removes it
    call("apikeys-info"),
    call("sb-messages-send")
        .body(|parameters| json!({ "message_type": "MESG", "user_id": parameters.sender, "message": "Hello!" }))
        .text("message"),
    call("sb-messages-get"),
    call("sb-messages-list").query("?message_ts=9000000000000"),
    call("sb-reactions-add")
        .body(|parameters| json!({ "user_id": parameters.sender, "reaction": "celebrate" }))
        .text("reaction"),
    call("sb-reactions-list"),
    call("sb-reactions-remove").query("?user_id={sender}&reaction=celebrate"),
    call("mb-messages-send")
        .body(|_| json!({ "type": "text", "content": "Hello!" }))
        .text("content"),
    call("mb-messages-list"),
    call("mb-reactions-add").body(|_| json!({ "emoji": "👍" })).text("emoji"),
    call("mb-reactions-remove").body(|_| json!({ "emoji": "👍" })).text("emoji"),
    call("webhooks-out-list"),
    call("webhooks-out-create")
        // Nobody joins in these tests, so it is never called.
        .body(|_| json!({ "name": "CRM", "url": "https://crm.example/hook", "events": ["user_joined_community"] }))
        .varies("name") // the rule of names is tested in services/webhooks
        .again(Again::IsThere), // one webhook for an address and its events
    call("webhooks-out-get"),
    call("webhooks-out-update").body(|_| json!({ "name": "Newer" })),
    call("webhooks-out-deliveries"),
    call("webhooks-out-redeliver"),
    call("webhooks-out-delivery-get"),
    call("webhooks-out-recover")
        .body(|_| json!({ "since": "2026-01-02T03:04:05.678Z" }))
        .varies_to("since", "2026-01-03T03:04:05.678Z"),
    call("webhooks-out-test")
        .body(|_| json!({ "event": "message_posted" }))
        .varies_to("event", "reaction_added"),
    call("webhooks-out-delete").again(Again::IsGone),
    call("webhooks-in-list"),
    call("webhooks-in-create")
        // Whether channel and sender are there is found out by the calls.
        .body(|_| {
            json!({
                "name": "News", "kind": "send_message",
                "settings": { "channelId": "ca0000000000000000000001", "sender": "newsbot" }
            })
        })
        .varies("name") // the rule of names is tested in services/webhooks
        .makes("incoming"),
    call("webhooks-in-get"),
    call("webhooks-in-update").body(|_| json!({ "name": "Newer news" })),
    call("webhooks-in-delete").again(Again::IsGone),
];
