//! What happens to webhooks whose receivers are gone.

use guildhall_data::Database;
use guildhall_runtime::{ErrorKind, Result};

use super::dispatcher::Dispatch;
use crate::store::outgoing::{self, DisabledReason, Model};

impl Dispatch {
    /// Switches a webhook off, once. What waits for it is given up by its endpoint.
    ///
    /// # Errors
    /// When the database fails, or identity, which knows whom to write: the next attempt will say so again.
    pub(super) async fn disable(&self, webhook: &Model, reason: DisabledReason) -> Result<()> {
        let (community, id) = (webhook.community_id, webhook.id);
        let mail = match self.emails.disabled(webhook, reason).await {
            Ok(mail) => Some(mail),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            // One that cannot be written must not keep the webhook on.
            Err(error) => {
                tracing::error!(%community, webhook = %id, ?error, "the owner is not told that a webhook was disabled");
                None
            }
        };
        let transaction = self.database.begin().await?;
        let was_enabled = outgoing::disable(&transaction, community, id, reason).await?;
        if let Some(mail) = mail.filter(|_| was_enabled) {
            self.emails.queue(&transaction, mail).await?;
        }
        Database::commit(transaction).await?;
        if was_enabled {
            self.emails.wake();
            log(webhook, reason);
        }
        Ok(())
    }
}

fn log(webhook: &Model, reason: DisabledReason) {
    let reason = match reason {
        DisabledReason::Gone => "its receiver answered 410",
        DisabledReason::Failing => "no delivery succeeded for five days",
    };
    let (community, webhook) = (webhook.community_id, webhook.id);
    tracing::warn!(%community, %webhook, reason, "an outgoing webhook was disabled");
}
