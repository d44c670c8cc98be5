//! Making and changing outgoing webhooks (contract: events, "Management").

use std::time::Duration;

use guildhall_data::{CommunityId, Database, DeliveryId, Ticket, WebhookId, seal::Sealer};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use prost::Message;
use zeroize::Zeroizing;

use crate::{
    Webhooks,
    domain::{EventKind, Mode, outgoing::Change, outgoing::Target, signature::SigningSecret},
    store::{
        deliveries,
        outgoing::{self, Ids, Model, OldSecret, OldSecrets},
    },
};

/// How long the old secret signs beside the new one.
const ROTATION: Duration = Duration::from_secs(24 * 3600);
/// How many old ones do at once: each is a signature in a header.
const OLD_SECRETS: usize = 4;

impl Webhooks {
    /// Makes a webhook and records the answer that shows its secret, the only one.
    ///
    /// # Errors
    /// ALREADY_EXISTS, INVALID_VALUE when there are too many, and as [`check`] says.
    pub(crate) async fn create_outgoing<A: Message>(
        &self,
        community: CommunityId,
        change: Change,
        ticket: &Ticket,
        answer: impl FnOnce(Model, Zeroizing<String>) -> A,
    ) -> Result<A> {
        let secret = SigningSecret::generate()?;
        let mut webhook = blank(community, self.0.sealer.seal(secret.as_bytes())?);
        apply(&mut webhook, change, &self.0.sealer)?;
        let transaction = self.0.database.begin().await?;
        outgoing::insert(&transaction, &webhook).await?;
        let answer = answer(webhook, secret.reveal());
        ticket.record(&transaction, &answer).await?;
        Database::commit(transaction).await?;
        Ok(answer)
    }

    /// Changes a webhook; with `rotate` it gets a new secret, which is in this answer alone.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, ALREADY_EXISTS, and as [`check`] and [`replace_secret`] say.
    pub(crate) async fn update_outgoing<A: Message>(
        &self,
        (community, id): (CommunityId, WebhookId),
        change: Change,
        rotate: bool,
        ticket: &Ticket,
        answer: impl FnOnce(Model, Option<Zeroizing<String>>) -> A,
    ) -> Result<A> {
        let secret = rotate.then(SigningSecret::generate).transpose()?;
        let transaction = self.0.database.begin().await?;
        let mut webhook = outgoing::lock(&transaction, community, id).await?;
        apply(&mut webhook, change, &self.0.sealer)?;
        if let Some(secret) = &secret {
            let sealed = self.0.sealer.seal(secret.as_bytes())?;
            replace_secret(&mut webhook, sealed, Timestamp::now())?;
        }
        webhook.updated_at = Timestamp::now().as_millis();
        outgoing::update(&transaction, &webhook).await?;
        let answer = answer(webhook, secret.map(|secret| secret.reveal()));
        ticket.record(&transaction, &answer).await?;
        Database::commit(transaction).await?;
        // If it is off now, what waits is given up.
        self.wake([(community, id)]);
        Ok(answer)
    }

    /// Deletes a webhook. Its endpoint gives up what waits for it.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND.
    pub(crate) async fn delete_outgoing(
        &self,
        community: CommunityId,
        id: WebhookId,
    ) -> Result<()> {
        let transaction = self.0.database.begin().await?;
        outgoing::delete(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        self.wake([(community, id)]);
        Ok(())
    }

    /// Queues a delivery again, at once, and records the answer.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, DELIVERY_NOT_FOUND, WRONG_STATE while an attempt is running or the webhook
    /// is off.
    pub(crate) async fn redeliver<A: Message>(
        &self,
        (community, webhook): (CommunityId, WebhookId),
        delivery: DeliveryId,
        ticket: &Ticket,
        answer: impl FnOnce(deliveries::Model) -> A,
    ) -> Result<A> {
        let transaction = self.0.database.begin().await?;
        let receiver = outgoing::get(&transaction, community, webhook).await?;
        if !receiver.ok_or_else(outgoing::not_found)?.enabled {
            return Err(Error::new(Reason::WrongState, "The webhook is disabled"));
        }
        let queued = deliveries::queue_again(&transaction, community, webhook, delivery).await?;
        let answer = answer(queued);
        ticket.record(&transaction, &answer).await?;
        Database::commit(transaction).await?;
        self.wake([(community, webhook)]);
        Ok(answer)
    }
}

/// A webhook that has only its secret.
fn blank(community: CommunityId, secret: Vec<u8>) -> Model {
    let now = Timestamp::now().as_millis();
    Model {
        community_id: community,
        id: WebhookId::generate(),
        name: String::new(),
        url: String::new(),
        fingerprint: Vec::new(),
        events: 0,
        channel_ids: Ids::default(),
        ignored_incoming_ids: Ids::default(),
        enabled: false,
        active_since: now,
        joins_on_bulk_import: false,
        encrypted: false,
        encryption_mode: Mode::Gcm.into(),
        encryption_key: None,
        api_key: None,
        secret,
        old_secrets: OldSecrets::default(),
        consecutive_failures: 0,
        failing_since: None,
        disabled_reason: None,
        created_at: now,
        updated_at: now,
    }
}

/// The secret that a receiver may still have goes on signing, however often it is replaced.
///
/// # Errors
/// WRONG_STATE when it was replaced too often.
fn replace_secret(webhook: &mut Model, sealed: Vec<u8>, now: Timestamp) -> Result<()> {
    let old = &mut webhook.old_secrets.0;
    old.retain(|old| now.as_millis() < old.until);
    if old.len() >= OLD_SECRETS {
        let message = format!("The secret was rotated {OLD_SECRETS} times within 24 hours");
        return Err(Error::new(Reason::WrongState, message));
    }
    old.push(OldSecret {
        sealed: std::mem::replace(&mut webhook.secret, sealed),
        until: now.plus(ROTATION).as_millis(),
    });
    Ok(())
}

fn apply(webhook: &mut Model, change: Change, sealer: &Sealer) -> Result<()> {
    if let Some(name) = change.name {
        webhook.name = name;
    }
    if let Some(target) = &change.target {
        webhook.url.clone_from(&target.text);
    }
    if let Some(events) = change.events {
        webhook.events = events.bits();
    }
    if let Some(channels) = change.channels {
        webhook.channel_ids = channels.into_iter().collect();
    }
    if let Some(ignored) = change.ignored {
        webhook.ignored_incoming_ids = ignored.into_iter().collect();
    }
    if let Some(joins) = change.joins_on_bulk_import {
        webhook.joins_on_bulk_import = joins;
    }
    if let Some(encrypted) = change.encrypted {
        webhook.encrypted = encrypted;
    }
    if let Some(mode) = change.mode {
        webhook.encryption_mode = mode.into();
    }
    if let Some(key) = change.aes_key {
        webhook.encryption_key = Some(sealer.seal(key.as_bytes())?);
    }
    if let Some(key) = change.api_key {
        let key = (!key.is_empty()).then(|| sealer.seal(key.as_bytes()));
        webhook.api_key = key.transpose()?;
    }
    if let Some(enabled) = change.enabled {
        enable(webhook, enabled);
    }
    check(webhook)
}

/// Switching on begins anew, also for a webhook that is on already.
fn enable(webhook: &mut Model, enabled: bool) {
    if enabled {
        webhook.consecutive_failures = 0;
        webhook.failing_since = None;
        webhook.disabled_reason = None;
    }
    if enabled && !webhook.enabled {
        webhook.active_since = Timestamp::now().as_millis();
    }
    webhook.enabled = enabled;
}

/// What holds between the fields.
///
/// # Errors
/// MISSING_FIELD for channels of `channel_message_posted` and for the key of encryption.
fn check(webhook: &mut Model) -> Result<()> {
    let kinds = webhook.kinds();
    if kinds.contains(EventKind::ChannelMessagePosted) && webhook.channel_ids.0.is_empty() {
        return Err(Error::missing("channelIds"));
    }
    if webhook.encrypted && webhook.encryption_key.is_none() {
        return Err(Error::missing("encryption.key"));
    }
    // What was allowed when it was saved may no longer be: that is for the attempt to say.
    webhook.fingerprint = Target::parse(&webhook.url, true)?.fingerprint(kinds);
    Ok(())
}
