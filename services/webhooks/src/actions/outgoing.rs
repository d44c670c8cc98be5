//! Managing outgoing webhooks (contract: events, "Management").

use std::time::Duration;

use guildhall_auth::CallerExt;
use guildhall_data::{
    CommunityId, Database, Limited, PageRequest, Resource, Tenant, WebhookId, id,
    idempotency::Answer, seal::Sealer,
};
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, CreateOutgoingWebhookResponse, DeleteOutgoingWebhookRequest,
    DeleteOutgoingWebhookResponse, GetOutgoingWebhookRequest, GetOutgoingWebhookResponse,
    ListOutgoingWebhooksRequest, ListOutgoingWebhooksResponse, UpdateOutgoingWebhookRequest,
    UpdateOutgoingWebhookResponse,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_types::{FieldMask, mask::set};
use tonic::{Request, Response};

use super::LIMITS;
use crate::{
    Webhooks,
    domain::{
        EventKind, EventKinds, Mode,
        outgoing::{Change, fingerprint, populated},
        signature::SigningSecret,
    },
    present,
    store::outgoing::{self, ChannelIds, Model, OldSecret, OldSecrets, SealedColumn, WebhookIds},
};

/// How long the old secret signs beside the new one.
const ROTATION: Duration = Duration::from_secs(24 * 3600);
/// How many old ones do at once: each is a signature in a header.
const OLD_SECRETS: usize = 4;

impl Webhooks {
    pub(crate) async fn list_outgoing_webhooks(
        &self,
        request: Request<ListOutgoingWebhooksRequest>,
    ) -> Result<Response<ListOutgoingWebhooksResponse>> {
        let community = request.caller()?.community;
        let request = request.into_inner();
        let (size, token) = (request.page_size, &request.page_token);
        let page = PageRequest::parse(LIMITS, size, token, request.skip)?;
        let reader = self.0.database.reader();
        let webhooks = outgoing::Entity::list(reader, community, &page).await?;
        let webhooks = webhooks.map(present::outgoing_webhook);
        Ok(Response::new(ListOutgoingWebhooksResponse {
            webhooks: webhooks.rows,
            next_page_token: webhooks.next_page_token,
            total_size: outgoing::Entity::count(reader, community).await?,
        }))
    }

    pub(crate) async fn get_outgoing_webhook(
        &self,
        request: Request<GetOutgoingWebhookRequest>,
    ) -> Result<Response<GetOutgoingWebhookResponse>> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.get_ref().id)?;
        let reader = self.0.database.reader();
        let webhook = outgoing::Entity::get(reader, community, id).await?;
        let webhook = Some(present::outgoing_webhook(webhook));
        Ok(Response::new(GetOutgoingWebhookResponse { webhook }))
    }

    /// Makes a webhook. Its secret is in this answer alone.
    ///
    /// # Errors
    /// ALREADY_EXISTS, INVALID_VALUE when there are too many, and as [`Change::parse`] and
    /// [`apply`] say.
    pub(crate) async fn create_outgoing_webhook(
        &self,
        request: Request<CreateOutgoingWebhookRequest>,
    ) -> Result<Response<CreateOutgoingWebhookResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let (all, allow_private) = (FieldMask::all(), self.0.settings.allow_private);
            let change = all.read(|fields| Change::parse(request.spec, fields, allow_private))?;
            let (secret, community) = (SigningSecret::generate()?, write.caller.community);
            let mut webhook = blank(community);
            let place = webhook.place(SealedColumn::Secret);
            webhook.secret = self.0.sealer.seal(secret.as_bytes(), &place)?;
            apply(&mut webhook, change, &self.0.sealer)?;
            let transaction = write.begin().await?;
            outgoing::Entity::insert_one_more(&transaction, community, &webhook).await?;
            let answer = CreateOutgoingWebhookResponse {
                webhook: Some(present::outgoing_webhook(webhook)),
                secret: secret.reveal().to_string(),
            };
            write.finish(transaction, answer).await
        });
        write.await
    }

    /// Changes a webhook. A new secret is in this answer alone.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, ALREADY_EXISTS, and as [`Change::parse`], [`apply`] and
    /// [`replace_secret`] say.
    pub(crate) async fn update_outgoing_webhook(
        &self,
        request: Request<UpdateOutgoingWebhookRequest>,
    ) -> Result<Response<UpdateOutgoingWebhookResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let community = write.caller.community;
            let id = id::parse("id", &request.id)?;
            let mask = FieldMask::of_or(request.update_mask, || populated(&request.spec));
            let allow_private = self.0.settings.allow_private;
            let change = mask.read(|fields| Change::parse(request.spec, fields, allow_private))?;
            let transaction = write.begin().await?;
            let before = outgoing::Entity::hold(&transaction, community, id).await?;
            let mut webhook = before.clone();
            apply(&mut webhook, change, &self.0.sealer)?;
            let secret = match request.rotate_secret {
                true => replace_secret(&mut webhook, &self.0.sealer)?,
                false => String::new(),
            };
            if webhook != before {
                webhook.updated_at = Timestamp::now().as_millis();
                outgoing::Entity::update_one(&transaction, &webhook).await?;
            }
            let webhook = Some(present::outgoing_webhook(webhook));
            let answer = UpdateOutgoingWebhookResponse { webhook, secret };
            let updated = write.finish(transaction, answer).await?;
            // If it is off now, what waits is given up.
            self.wake([(community, id)]);
            Ok(updated)
        });
        write.await
    }

    /// Deletes a webhook. What waits for it is given up.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND.
    pub(crate) async fn delete_outgoing_webhook(
        &self,
        request: Request<DeleteOutgoingWebhookRequest>,
    ) -> Result<Response<DeleteOutgoingWebhookResponse>> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.get_ref().id)?;
        let transaction = self.0.database.begin().await?;
        outgoing::Entity::remove_one(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        self.wake([(community, id)]);
        Ok(Response::new(DeleteOutgoingWebhookResponse {}))
    }
}

/// A webhook that has only its id.
fn blank(community: CommunityId) -> Model {
    let now = Timestamp::now().as_millis();
    Model {
        community_id: community,
        id: WebhookId::generate(),
        name: String::new(),
        url: String::new(),
        fingerprint: Vec::new(),
        events: 0,
        channel_ids: ChannelIds::default(),
        ignored_incoming_ids: WebhookIds::default(),
        enabled: false,
        active_since: now,
        joins_on_bulk_import: false,
        encrypted: false,
        encryption_mode: Mode::Gcm,
        encryption_key: None,
        api_key: None,
        secret: Vec::new(),
        old_secrets: OldSecrets::default(),
        consecutive_failures: 0,
        failing_since: None,
        disabled_reason: None,
        created_at: now,
        updated_at: now,
    }
}

/// Gives a webhook a new secret, and returns it. The one that a receiver may still have goes on
/// signing, however often it is replaced; unless it does not open any more: a new one mends that.
///
/// # Errors
/// WRONG_STATE when it was replaced too often.
fn replace_secret(webhook: &mut Model, sealer: &Sealer) -> Result<String> {
    let (secret, now) = (SigningSecret::generate()?, Timestamp::now());
    let place = webhook.place(SealedColumn::Secret);
    let old_place = webhook.place(SealedColumn::OldSecrets);
    let opens = |old: &OldSecret| sealer.open(&old.sealed, &old_place).is_ok();
    let old = &mut webhook.old_secrets.0;
    old.retain(|old| now.as_millis() < old.until && opens(old));
    if old.len() >= OLD_SECRETS {
        let message = format!("The secret was rotated {OLD_SECRETS} times within 24 hours");
        return Err(Error::new(Reason::WrongState, message));
    }
    if let Ok(replaced) = sealer.open(&webhook.secret, &place) {
        old.push(OldSecret {
            sealed: sealer.seal(&replaced, &old_place)?,
            until: now.plus(ROTATION).as_millis(),
        });
    }
    webhook.secret = sealer.seal(secret.as_bytes(), &place)?;
    Ok(secret.reveal().to_string())
}

/// Makes a webhook what a change says.
///
/// # Errors
/// As [`EncryptionChange::apply`](crate::domain::EncryptionChange::apply) and [`check`] say.
fn apply(webhook: &mut Model, change: Change, sealer: &Sealer) -> Result<()> {
    let is_retargeted = change.target.is_some() || change.events.is_some();
    set(&mut webhook.name, change.name);
    set(&mut webhook.url, change.target.map(|target| target.text));
    set(&mut webhook.events, change.events.map(EventKinds::bits));
    set(&mut webhook.channel_ids.0, change.channels);
    set(&mut webhook.ignored_incoming_ids.0, change.ignored);
    set(
        &mut webhook.joins_on_bulk_import,
        change.joins_on_bulk_import,
    );
    let place = webhook.place(SealedColumn::EncryptionKey);
    let (enabled, mode) = (&mut webhook.encrypted, &mut webhook.encryption_mode);
    change
        .encryption
        .apply(enabled, mode, &mut webhook.encryption_key, (sealer, &place))?;
    if let Some(key) = change.api_key {
        let place = webhook.place(SealedColumn::ApiKey);
        let key = (!key.is_empty()).then(|| sealer.seal(key.as_bytes(), &place));
        webhook.api_key = key.transpose()?;
    }
    if let Some(enabled) = change.enabled {
        enable(webhook, enabled);
    }
    if is_retargeted {
        let url = webhook.url.parse().map_err(Error::internal)?;
        webhook.fingerprint = fingerprint(&url, webhook.kinds());
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
/// MISSING_FIELD for channels of `channel_message_posted`.
fn check(webhook: &Model) -> Result<()> {
    let wants_channels = webhook.kinds().contains(EventKind::ChannelMessagePosted);
    match wants_channels && webhook.channel_ids.0.is_empty() {
        true => Err(Error::missing("channel_ids")),
        false => Ok(()),
    }
}
