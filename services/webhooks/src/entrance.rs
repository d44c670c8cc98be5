//! What stands between a call from outside and its webhook.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use guildhall_data::{CommunityId, WebhookId, seal::Sealer};
use guildhall_proto::webhooks::v1::IncomingSettings;
use guildhall_runtime::{Error, Reason, Result};
use prost::Message;

use crate::{
    domain::{
        Address, AesKey, Mode, api_key,
        incoming::{Kind, Settings},
    },
    store::incoming::{Model, USE_PRECISION},
};

/// How long a webhook is remembered: no signal tells other replicas of a change, and an address that
/// was deleted or disabled must be dead within a second.
const LIFE: Duration = Duration::from_secs(1);
/// Webhooks that are remembered.
const REMEMBERED: u64 = 10_000;
/// Calls per minute and webhook, in each process (contract: events, "API Keys & Encryption").
const CALLS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// Webhooks after which idle ones are forgotten.
const MAX_COUNTED: usize = 10_000;

/// An incoming webhook as its callers meet it.
#[derive(Debug)]
pub struct Endpoint {
    /// The community in which it acts.
    pub community: CommunityId,
    /// The webhook.
    pub id: WebhookId,
    /// What it does.
    pub kind: Kind,
    /// What its callers may do.
    pub settings: Settings,
    /// How bodies are encrypted, when they are.
    pub encryption: Option<(Mode, AesKey)>,
    /// The digest of the key that callers must present, when they must.
    api_key_digest: Option<Vec<u8>>,
}

impl Endpoint {
    /// Opens what is sealed of a webhook.
    ///
    /// # Errors
    /// INTERNAL when the row was damaged.
    pub fn open(webhook: &Model, sealer: &Sealer) -> Result<Self> {
        let settings = IncomingSettings::decode(&*webhook.settings).map_err(Error::internal)?;
        Ok(Self {
            community: webhook.community_id,
            id: webhook.id,
            kind: webhook.kind,
            settings: Settings::parse(settings).map_err(Error::internal)?,
            encryption: cipher(webhook, sealer)?,
            api_key_digest: webhook
                .api_key_enabled
                .then(|| webhook.api_key_digest.clone().unwrap_or_default()),
        })
    }

    /// Lets in who presents the API key, where one is asked for.
    ///
    /// # Errors
    /// CREDENTIAL_MISSING, CREDENTIAL_INVALID.
    pub fn admit(&self, presented: &str) -> Result<()> {
        match &self.api_key_digest {
            Some(digest) => api_key::check(digest, presented),
            None => Ok(()),
        }
    }
}

fn cipher(webhook: &Model, sealer: &Sealer) -> Result<Option<(Mode, AesKey)>> {
    if !webhook.encryption_enabled {
        return Ok(None);
    }
    let sealed = webhook.encryption_key.as_deref().unwrap_or_default();
    let key = sealer.open(sealed)?;
    let key = std::str::from_utf8(&key).map_err(Error::internal)?;
    let key = AesKey::parse(key).map_err(Error::internal)?;
    Ok(Some((webhook.encryption_mode, key)))
}

/// Finds webhooks by their addresses, and counts their calls.
#[derive(Debug)]
pub struct Entrance {
    endpoints: moka::future::Cache<Address, Arc<Endpoint>>,
    calls: DefaultKeyedRateLimiter<WebhookId>,
    clock: DefaultClock,
    /// Those whose use was noted within the last minute.
    noted: moka::sync::Cache<WebhookId, ()>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self {
            endpoints: moka::future::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(LIFE)
                .build(),
            calls: RateLimiter::keyed(Quota::per_minute(CALLS_PER_MINUTE)),
            clock: DefaultClock::default(),
            noted: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(USE_PRECISION)
                .build(),
        }
    }
}

impl Entrance {
    /// The webhook at an address, looked up when it is not remembered; once, however many ask. What
    /// is not there is not remembered.
    ///
    /// # Errors
    /// What the look-up says.
    pub async fn find(
        &self,
        address: Address,
        look_up: impl Future<Output = Result<Arc<Endpoint>>>,
    ) -> Result<Arc<Endpoint>> {
        let found = self.endpoints.try_get_with(address, look_up).await;
        found.map_err(|error| Error::clone(&error))
    }

    /// Forgets the webhook at an address, which has changed.
    pub async fn forget(&self, address: &str) {
        if let Ok(address) = address.parse::<Address>() {
            self.endpoints.invalidate(&address).await;
        }
    }

    /// Counts a call of a webhook.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, webhook: WebhookId) -> Result<()> {
        if self.calls.len() > MAX_COUNTED {
            self.calls.retain_recent();
        }
        self.calls.check_key(&webhook).map_err(|denied| {
            let message = format!("Rate limit exceeded: {CALLS_PER_MINUTE} calls per minute");
            let wait = denied.wait_time_from(self.clock.now());
            Error::new(Reason::RateLimited, message).retry_after(wait)
        })
    }

    /// Whether the use of a webhook is to be noted: once a minute.
    pub fn is_use_due(&self, webhook: WebhookId) -> bool {
        self.noted.entry(webhook).or_insert(()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixty_first_call_of_a_minute_waits() {
        let entrance = Entrance::default();
        let (busy, other) = (WebhookId::generate(), WebhookId::generate());
        for _ in 0..60 {
            entrance.count(busy).unwrap();
        }
        let refused = entrance.count(busy).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert!(refused.retry_delay().unwrap() <= Duration::from_secs(1));
        assert!(entrance.count(other).is_ok());
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let entrance = Entrance::default();
        let webhook = WebhookId::generate();
        assert!(entrance.is_use_due(webhook));
        assert!(!entrance.is_use_due(webhook));
        assert!(entrance.is_use_due(WebhookId::generate()));
    }
}
