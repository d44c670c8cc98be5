//! What the operator is told of webhooks to which nothing can be sent as they are stored.

use guildhall_data::WebhookId;

use super::{dispatcher::Dispatch, receiver::Unsendable};
use crate::store::outgoing::Model;

/// Parked webhooks that are remembered at most; of those beyond, the log tells again.
const REMEMBERED: u64 = 10_000;

/// The parked webhooks that the log has told of, and when each was last changed by then.
#[derive(Debug)]
pub(super) struct ParkedWebhooks(moka::sync::Cache<WebhookId, i64>);

impl Default for ParkedWebhooks {
    fn default() -> Self {
        Self(moka::sync::Cache::new(REMEMBERED))
    }
}

impl ParkedWebhooks {
    /// Whether the log has not told of it since it was last changed.
    fn is_news(&self, webhook: &Model) -> bool {
        let told = self.0.get(&webhook.id);
        self.0.insert(webhook.id, webhook.updated_at);
        told != Some(webhook.updated_at)
    }
}

impl Dispatch {
    /// Counts deliveries that were parked, and logs why, once until the webhook is changed.
    pub(super) fn note_parked(&self, webhook: &Model, unsendable: &Unsendable, deliveries: u64) {
        self.metrics.parked(deliveries);
        if self.parked.is_news(webhook) {
            let (community, webhook) = (webhook.community_id, webhook.id);
            let (part, cause) = (unsendable.part.name(), &unsendable.cause);
            tracing::error!(
                %community, %webhook, part, ?cause,
                "nothing can be sent to an outgoing webhook: its deliveries fail until it is changed"
            );
        }
    }
}
