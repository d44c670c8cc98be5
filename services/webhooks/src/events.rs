//! What webhooks tell the rest of the platform, in the transaction of its cause, and what they do on
//! the events of all.

use std::collections::HashSet;

use async_trait::async_trait;
use guildhall_data::{CommunityId, Transaction, WebhookId};
use guildhall_events::{Handler, outbox::NewEvent};
use guildhall_proto::events::v1::{Event, WorkflowEventReceived, event::Payload};
use guildhall_runtime::{Result, Timestamp, trace};

use crate::{
    Webhooks,
    domain::workflow::WorkflowEvent,
    store::{
        deliveries::{self, NewDelivery},
        workflows,
    },
};

/// Queues the deliveries of events.
#[derive(Debug)]
pub struct Subscriber(pub(crate) Webhooks);

#[async_trait]
impl Handler for Subscriber {
    type Effect = Vec<NewDelivery>;
    type Done = HashSet<(CommunityId, WebhookId)>;

    async fn prepare(&self, events: &[&Event]) -> Result<Vec<Result<Option<Self::Effect>>>> {
        self.0.prepare(events).await
    }

    async fn apply(
        &self,
        transaction: &Transaction,
        effects: Vec<Self::Effect>,
    ) -> Result<Self::Done> {
        let queued: Vec<_> = effects.into_iter().flatten().collect();
        let webhooks = queued.iter().map(|it| (it.community, it.webhook)).collect();
        deliveries::queue(transaction, queued).await?;
        Ok(webhooks)
    }

    fn applied(&self, webhooks: Self::Done) {
        self.0.wake(webhooks);
    }
}

/// A workflow told of something that happened elsewhere.
#[must_use]
pub fn workflow_event_received(workflow: &workflows::Model, event: WorkflowEvent) -> NewEvent {
    NewEvent {
        community: workflow.community_id,
        actor: String::new(),
        partition_key: workflow.id.to_string(),
        time: Timestamp::now(),
        traceparent: trace::traceparent(),
        payload: Payload::WorkflowEventReceived(WorkflowEventReceived {
            workflow_id: workflow.id.to_string(),
            event_type: event.kind.name().to_owned(),
            body: event.body,
        }),
    }
}
