//! What webhooks tell the rest of the platform, in the transaction of its cause.

use guildhall_events::outbox::NewEvent;
use guildhall_proto::events::v1::{WorkflowEventReceived, event::Payload};
use guildhall_runtime::{Timestamp, trace};

use crate::{domain::workflow::WorkflowEvent, store::workflows};

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
