//! Calls of incoming webhooks (contract: events, "Incoming webhook url"), checked in this order: where
//! the call comes from, address, API key and rate limit, size, encryption, content. Who does not know an address learns
//! nothing about it, not even that it is busy.

use std::time::Duration;

use guildhall_auth::{
    request::{IDEMPOTENT_REPLAYED, answer},
    source::as_told_to_callers,
};
use guildhall_data::{Database, Resource};
use guildhall_proto::{
    messaging::v1::{PostWebhookMessageRequest, message_service_client::MessageServiceClient},
    webhooks::v1::{
        MessageSent, ReceiveCallRequest, ReceiveCallResponse, receive_call_response::Done,
    },
};
use guildhall_runtime::{Error, Reason, Result};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tonic::{Request, Response};

use super::{callers::origin, names::CallNames};
use crate::{
    Webhooks,
    domain::{
        Address, AesKey, Mode,
        body::Body,
        incoming::{Call, NewMessage},
    },
    store::incoming,
};

mod endpoint;
mod limits;

use endpoint::Endpoint;
pub use limits::CallLimits;
use limits::Caller;

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// When a body that cannot be decrypted is refused, from the moment that it is looked at: how far it
/// could be read must not show in how long that took.
const REFUSAL: Duration = Duration::from_millis(25);
/// How long messaging may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// What is tried where no key is set.
const NO_KEY: &str = "no key is set, so this one is tried";

impl Webhooks {
    /// Does what a call from outside asks for.
    pub(crate) async fn receive_call(
        &self,
        request: Request<ReceiveCallRequest>,
    ) -> Result<Response<ReceiveCallResponse>> {
        let origin = origin(&request);
        self.0.callers.count(origin)?;
        let names = CallNames::of(&request, &request.get_ref().dedup_id);
        let call = request.into_inner();
        let endpoint = self.admit(&call.address, &call.api_key).await;
        let endpoint = endpoint.map_err(|failure| self.0.callers.failed(origin, failure))?;
        self.note_use(&endpoint);
        let body = read(&endpoint, call.encrypted, &call.body).await?;
        let names = names?;
        match Call::read(endpoint.kind, &endpoint.settings, body)? {
            Call::SendMessage(message) => self.post(&endpoint, message, names).await,
            Call::UpdateUserFields(_) => Err(not_built("user fields")),
            Call::UpdateCurrency(_) => Err(not_built("gamification")),
        }
    }

    /// The webhook at an address, for who presents its key where one is asked for.
    async fn admit(&self, address: &str, api_key: &str) -> Result<Endpoint> {
        let endpoint = self.endpoint_at(address).await?;
        let admitted = endpoint.admit(api_key);
        let caller = match admitted {
            Ok(()) => Caller::Admitted,
            Err(_) => Caller::Refused,
        };
        self.0.call_limits.count(endpoint.id, caller)?;
        admitted.map(|()| endpoint)
    }

    /// Not remembered from call to call: what was deleted, or has another key, is so at once and in
    /// every replica.
    async fn endpoint_at(&self, address: &str) -> Result<Endpoint> {
        let address: Address = address.parse().map_err(|_| incoming::Entity::not_found())?;
        let webhook = incoming::get_open(self.0.database.reader(), &address).await?;
        Endpoint::open(&webhook, &self.0.sealer)
    }

    /// Notes the use of a webhook behind the answer.
    fn note_use(&self, endpoint: &Endpoint) {
        if !self.0.call_limits.is_use_due(endpoint.id) {
            return;
        }
        let (database, community, id) = (self.0.database.clone(), endpoint.community, endpoint.id);
        tokio::spawn(async move {
            let noted = async {
                let transaction = database.begin().await?;
                incoming::note_use(&transaction, community, id).await?;
                Database::commit(transaction).await
            };
            if let Err(error) = noted.await {
                tracing::warn!(?error, "cannot note that an incoming webhook was used");
            }
        });
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        message: NewMessage,
        names: CallNames,
    ) -> Result<Response<ReceiveCallResponse>> {
        let channel = endpoint.settings.channel_for(message.channel)?;
        let sender = message.sender.filter(|sender| !sender.is_empty());
        let (dedup_id, idempotency_key) = names.for_messaging();
        let mut request = Request::new(PostWebhookMessageRequest {
            community_id: endpoint.community.to_string(),
            webhook_id: endpoint.id.to_string(),
            dedup_id,
            idempotency_key,
            channel: channel.to_string(),
            sender: sender.unwrap_or_else(|| endpoint.settings.sender.clone()),
            text: message.text,
            topic_id: message.topic.unwrap_or_default(),
        });
        request.set_timeout(DEADLINE);
        let mut messages = MessageServiceClient::new(self.0.messaging.clone());
        let posted = messages.post_webhook_message(request).await;
        let posted = posted.map_err(|status| as_told_to_callers(status.into()))?;
        let replayed = posted.metadata().contains_key(IDEMPOTENT_REPLAYED);
        let message = posted.into_inner().message.unwrap_or_default();
        let sent = MessageSent {
            message_id: message.id,
        };
        let done = Some(Done::MessageSent(sent));
        Ok(answer(ReceiveCallResponse { done, replayed }, replayed))
    }
}

/// The object in a body.
async fn read(endpoint: &Endpoint, encrypted: bool, body: &[u8]) -> Result<Body> {
    if body.len() > MAX_BODY {
        let message = "The body is larger than 64 KiB";
        return Err(Error::new(Reason::BodyTooLarge, message));
    }
    if !encrypted && endpoint.encryption.is_none() {
        return Body::parse(body);
    }
    let begun = Instant::now();
    match decrypt(endpoint, encrypted, body)? {
        Some(object) => Ok(Body::new(object)),
        None => {
            tokio::time::sleep_until(begun + REFUSAL).await;
            Err(Error::new(Reason::MalformedBody, "Invalid encrypted body"))
        }
    }
}

/// The object in an encrypted body; none when there is none, whatever the cause. What is not to be
/// decrypted is tried all the same: each cause costs the same work.
fn decrypt(
    endpoint: &Endpoint,
    encrypted: bool,
    body: &[u8],
) -> Result<Option<Map<String, Value>>> {
    let none = AesKey::parse(&NO_KEY[..32])?;
    let (mode, key) = match &endpoint.encryption {
        Some((mode, key)) => (*mode, key),
        None => (Mode::Gcm, &none),
    };
    let plain = key.decrypt(mode, body);
    let object = serde_json::from_slice(plain.as_deref().unwrap_or(body)).ok();
    let is_meant = encrypted && endpoint.encryption.is_some();
    Ok(object.filter(|_| is_meant && plain.is_some()))
}

/// What the contract knows and the platform does not have yet.
fn not_built(part: &str) -> Error {
    let message =
        format!("The call is understood, but it comes with {part}, which is not there yet");
    Error::new(Reason::NotImplemented, message)
}
