//! What stands between a call from outside and its webhook.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use guildhall_data::{CommunityId, WebhookId, seal::Sealer};
use guildhall_proto::webhooks::v1::IncomingSettings;
use guildhall_runtime::{Error, Reason, Result};
use parking_lot::Mutex;
use prost::Message;
use tokio::time::Instant;

use crate::{
    domain::{
        AesKey, Mode, api_key,
        incoming::{Kind, Settings},
    },
    store::incoming::{Model, USE_PRECISION},
};

/// Calls within a minute of a webhook, in each process (contract: events, "API Keys & Encryption").
const CALLS_PER_MINUTE: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// Webhooks whose calls are counted at most.
const COUNTED: u64 = 20_000;

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

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Somebody who was let in.
    Admitted,
    /// Somebody else: he cannot use up what the others may call.
    Refused,
}

/// When somebody called within the last minute.
type Calls = Arc<Mutex<VecDeque<Instant>>>;

/// Counts the calls of webhooks.
#[derive(Debug)]
pub struct Entrance {
    calls: moka::sync::Cache<(WebhookId, Caller), Calls>,
    /// Those whose use was noted within the last minute.
    noted: moka::sync::Cache<WebhookId, ()>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self {
            calls: moka::sync::Cache::builder()
                .max_capacity(COUNTED)
                .time_to_idle(MINUTE)
                .build(),
            noted: moka::sync::Cache::builder()
                .max_capacity(COUNTED)
                .time_to_live(USE_PRECISION)
                .build(),
        }
    }
}

impl Entrance {
    /// Counts a call of a webhook.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, webhook: WebhookId, caller: Caller) -> Result<()> {
        let calls = self.calls.get_with((webhook, caller), Calls::default);
        let (mut calls, now) = (calls.lock(), Instant::now());
        while calls.front().is_some_and(|at| now - *at >= MINUTE) {
            calls.pop_front();
        }
        if let Some(first) = calls.front().filter(|_| calls.len() >= CALLS_PER_MINUTE) {
            let message = format!("Rate limit exceeded: {CALLS_PER_MINUTE} calls per minute");
            let wait = *first + MINUTE - now;
            return Err(Error::new(Reason::RateLimited, message).retry_after(wait));
        }
        calls.push_back(now);
        Ok(())
    }

    /// Whether the use of a webhook is to be noted: once a minute.
    pub fn is_use_due(&self, webhook: WebhookId) -> bool {
        self.noted.entry(webhook).or_insert(()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_sixty_first_call_within_a_minute_waits_for_the_end_of_it() {
        let entrance = Entrance::default();
        let (busy, other) = (WebhookId::generate(), WebhookId::generate());
        let call = |webhook| entrance.count(webhook, Caller::Admitted);
        for _ in 0..60 {
            call(busy).unwrap();
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        let refused = call(busy).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        let wait = refused.retry_delay().unwrap();
        assert_eq!(wait, Duration::from_secs(30));
        assert!(call(other).is_ok());
        tokio::time::advance(wait).await;
        assert!(call(busy).is_ok());
        assert!(call(busy).is_err(), "one call has fallen out of the minute");
    }

    #[test]
    fn who_was_not_let_in_uses_up_nothing_of_who_was() {
        let entrance = Entrance::default();
        let webhook = WebhookId::generate();
        while entrance.count(webhook, Caller::Refused).is_ok() {}
        assert!(entrance.count(webhook, Caller::Admitted).is_ok());
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
