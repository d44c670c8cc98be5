//! Webhooks and workflows (contract: events, parts 1 and 2).

mod encryption;
mod incoming;
mod incoming_record;
mod outgoing;
mod outgoing_deliveries;
mod outgoing_delivery;
mod outgoing_event;
mod outgoing_record;
mod outgoing_trial;
mod receive;
mod workflows;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{endpoint::Endpoint, sample, schema::ObjectId};

pub fn endpoints() -> Vec<Endpoint> {
    [
        outgoing::endpoints(),
        outgoing_deliveries::endpoints(),
        outgoing_delivery::endpoints(),
        outgoing_trial::endpoints(),
        receive::endpoints(),
        incoming::endpoints(),
        workflows::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedWebhook {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
}

impl DeletedWebhook {
    fn example() -> Self {
        Self {
            id: sample::WEBHOOK_ID.into(),
        }
    }
}
