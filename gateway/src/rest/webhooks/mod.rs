//! Webhooks and workflows (contract: events, parts 1 and 2).

mod encryption;
mod incoming;
mod incoming_record;
mod mask;
mod outgoing;
mod outgoing_deliveries;
mod outgoing_event;
mod outgoing_record;
mod receive;
mod workflows;

use guildhall_runtime::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{endpoint::Endpoint, schema::ObjectId};

pub fn endpoints() -> Vec<Endpoint> {
    [
        outgoing::endpoints(),
        outgoing_deliveries::endpoints(),
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

/// A moment as the contract shows it; empty when a service left it out.
fn iso(moment: Option<prost_types::Timestamp>) -> String {
    iso_null(moment).unwrap_or_default()
}

/// A moment that may be absent.
fn iso_null(moment: Option<prost_types::Timestamp>) -> Option<String> {
    moment.map(|at| Timestamp::from(at).to_iso())
}
