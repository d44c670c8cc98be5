//! Testing an outgoing webhook with a sample event.

use guildhall_data::{Resource, id, idempotency::Answer};
use guildhall_proto::webhooks::v1::{TestOutgoingWebhookRequest, TestOutgoingWebhookResponse};
use guildhall_runtime::{Result, Timestamp};
use guildhall_types::ProtoEnum as _;
use tonic::{Request, Response};

use crate::{
    Webhooks,
    delivery::request::OutgoingEvent,
    domain::{EventKind, sample},
    present,
    store::outgoing,
};

impl Webhooks {
    /// Sends a sample of an event at once, and answers what the receiver said.
    ///
    /// # Errors
    /// MISSING_FIELD, INVALID_VALUE, WEBHOOK_NOT_FOUND, RATE_LIMITED while too many are under way.
    pub(crate) async fn test_outgoing_webhook(
        &self,
        request: Request<TestOutgoingWebhookRequest>,
    ) -> Result<Response<TestOutgoingWebhookResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let community = write.caller.community;
            let id = id::parse("webhook_id", &request.webhook_id)?;
            let kind = EventKind::require("event", request.event)?;
            let reader = self.0.database.reader();
            let webhook = outgoing::Entity::get(reader, community, id).await?;
            let name = self.0.directory.community_name(community).await?;
            let (event_id, time) = (sample::event_id(kind), Timestamp::now());
            let event = OutgoingEvent {
                kind,
                event_id: &event_id,
                time,
                body: &sample::body(kind, &event_id, time, (community, &name))?,
            };
            let attempt = self.0.dispatcher.send_test_event(&webhook, event).await?;
            let answer = present::test_event(kind, &event_id, attempt);
            // Only now: no transaction waits for a receiver.
            let transaction = write.begin().await?;
            write.finish(transaction, answer).await
        });
        write.await
    }
}
