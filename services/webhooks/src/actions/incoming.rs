//! Managing incoming webhooks (contract: events, part 2).

use guildhall_auth::CallerExt;
use guildhall_data::{
    CommunityId, Database, Limited, PageRequest, Resource, WebhookId, id, idempotency::Answer,
    seal::Sealer,
};
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, CreateIncomingWebhookResponse, DeleteIncomingWebhookRequest,
    DeleteIncomingWebhookResponse, GetIncomingWebhookRequest, GetIncomingWebhookResponse,
    IncomingSettings, ListIncomingWebhooksRequest, ListIncomingWebhooksResponse,
    UpdateIncomingWebhookRequest, UpdateIncomingWebhookResponse,
};
use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::{FieldMask, mask::set};
use prost::Message;
use tonic::{Request, Response};

use super::LIMITS;
use crate::{
    Webhooks,
    domain::{
        Address, ApiKey, Mode,
        incoming::{Change, Kind, Settings, SettingsChange, populated},
    },
    present,
    store::incoming::{self, Model},
};

impl Webhooks {
    pub(crate) async fn list_incoming_webhooks(
        &self,
        request: Request<ListIncomingWebhooksRequest>,
    ) -> Result<Response<ListIncomingWebhooksResponse>> {
        let community = request.caller()?.community;
        let request = request.into_inner();
        let (size, token) = (request.page_size, &request.page_token);
        let page = PageRequest::parse(LIMITS, size, token, request.skip)?;
        let reader = self.0.database.reader();
        let webhooks = incoming::Entity::list(reader, community, &page).await?;
        let shown = webhooks.rows.into_iter().map(present::incoming);
        Ok(Response::new(ListIncomingWebhooksResponse {
            webhooks: shown.collect::<Result<_>>()?,
            next_page_token: webhooks.next_page_token,
            total_size: incoming::Entity::count(reader, community).await?,
        }))
    }

    pub(crate) async fn get_incoming_webhook(
        &self,
        request: Request<GetIncomingWebhookRequest>,
    ) -> Result<Response<GetIncomingWebhookResponse>> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.get_ref().id)?;
        let reader = self.0.database.reader();
        let webhook = incoming::Entity::get(reader, community, id).await?;
        let webhook = Some(present::incoming(webhook)?);
        Ok(Response::new(GetIncomingWebhookResponse { webhook }))
    }

    /// Makes a webhook. Its API key is in this answer alone.
    ///
    /// # Errors
    /// INVALID_VALUE when there are too many, and as [`Change::parse`] and [`apply`] say.
    pub(crate) async fn create_incoming_webhook(
        &self,
        request: Request<CreateIncomingWebhookRequest>,
    ) -> Result<Response<CreateIncomingWebhookResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let all = FieldMask::all();
            let change = all.read(|fields| Change::parse(request.spec, fields))?;
            let kind = change.kind.ok_or_else(|| Error::missing("kind"))?;
            let community = write.caller.community;
            let mut webhook = blank(community, kind)?;
            apply(&mut webhook, change, &self.0.sealer)?;
            let api_key = new_api_key(&mut webhook, false)?;
            let transaction = write.begin().await?;
            incoming::Entity::insert_one_more(&transaction, community, &webhook).await?;
            let answer = CreateIncomingWebhookResponse {
                webhook: Some(present::incoming(webhook)?),
                api_key: shown(api_key),
            };
            write.finish(transaction, answer).await
        });
        write.await
    }

    /// Changes a webhook. A new API key is in this answer alone.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, and as [`Change::parse`] and [`apply`] say.
    pub(crate) async fn update_incoming_webhook(
        &self,
        request: Request<UpdateIncomingWebhookRequest>,
    ) -> Result<Response<UpdateIncomingWebhookResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let community = write.caller.community;
            let id = id::parse("id", &request.id)?;
            let mask = FieldMask::of_or(request.update_mask, || populated(&request.spec));
            let change = mask.read(|fields| Change::parse(request.spec, fields))?;
            let transaction = write.begin().await?;
            let before = incoming::Entity::hold(&transaction, community, id).await?;
            let mut webhook = before.clone();
            apply(&mut webhook, change, &self.0.sealer)?;
            let api_key = new_api_key(&mut webhook, request.rotate_api_key)?;
            if webhook != before {
                webhook.updated_at = Timestamp::now().as_millis();
                incoming::update(&transaction, &webhook).await?;
            }
            let answer = UpdateIncomingWebhookResponse {
                webhook: Some(present::incoming(webhook)?),
                api_key: shown(api_key),
            };
            write.finish(transaction, answer).await
        });
        write.await
    }

    /// Deletes a webhook.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND.
    pub(crate) async fn delete_incoming_webhook(
        &self,
        request: Request<DeleteIncomingWebhookRequest>,
    ) -> Result<Response<DeleteIncomingWebhookResponse>> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.get_ref().id)?;
        let transaction = self.0.database.begin().await?;
        incoming::Entity::remove_one(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        Ok(Response::new(DeleteIncomingWebhookResponse {}))
    }
}

/// A webhook that has only its address.
fn blank(community: CommunityId, kind: Kind) -> Result<Model> {
    let now = Timestamp::now().as_millis();
    Ok(Model {
        community_id: community,
        id: WebhookId::generate(),
        name: String::new(),
        kind,
        address: Address::generate()?.into_string(),
        settings: Vec::new(),
        api_key_enabled: false,
        api_key_digest: None,
        encryption_enabled: false,
        encryption_mode: Mode::Gcm,
        encryption_key: None,
        enabled: false,
        created_at: now,
        updated_at: now,
        last_used_at: None,
    })
}

/// Makes a webhook what a change says.
///
/// # Errors
/// INVALID_VALUE for another kind, MISSING_FIELD for what the kind or the encryption needs.
fn apply(webhook: &mut Model, change: Change, sealer: &Sealer) -> Result<()> {
    if change.kind.is_some_and(|kind| kind != webhook.kind) {
        return Err(Error::invalid("kind", "kind cannot be changed"));
    }
    set(&mut webhook.name, change.name);
    set(&mut webhook.api_key_enabled, change.api_key_enabled);
    set(&mut webhook.enabled, change.enabled);
    let place = webhook.key_place();
    let (enabled, mode) = (
        &mut webhook.encryption_enabled,
        &mut webhook.encryption_mode,
    );
    change
        .encryption
        .apply(enabled, mode, &mut webhook.encryption_key, (sealer, &place))?;
    apply_settings(webhook, change.settings)
}

fn apply_settings(webhook: &mut Model, change: SettingsChange) -> Result<()> {
    let stored = IncomingSettings::decode(&*webhook.settings).map_err(Error::internal)?;
    let mut settings = Settings::parse(&stored).map_err(Error::internal)?;
    settings.change(change);
    settings.check_for(webhook.kind)?;
    webhook.settings = settings.to_proto().encode_to_vec();
    Ok(())
}

/// Gives a webhook an API key when it needs its first one, and when it shall have another.
fn new_api_key(webhook: &mut Model, rotate: bool) -> Result<Option<ApiKey>> {
    let needs_first = webhook.api_key_enabled && webhook.api_key_digest.is_none();
    if !needs_first && !rotate {
        return Ok(None);
    }
    let key = ApiKey::generate()?;
    webhook.api_key_digest = Some(key.digest());
    Ok(Some(key))
}

/// A key as its one answer shows it.
fn shown(key: Option<ApiKey>) -> String {
    key.map(|key| key.reveal().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use guildhall_proto::webhooks::v1::{EncryptionSpec, IncomingKind, IncomingWebhookSpec};
    use guildhall_runtime::Reason;

    use super::*;

    fn change(spec: IncomingWebhookSpec, paths: &[&str]) -> Result<Model> {
        let sealer = Sealer::derive(b"secret", b"test")?;
        let mut webhook = blank(CommunityId::generate(), Kind::UpdateCurrency)?;
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let mask = FieldMask::of(Some(prost_types::FieldMask { paths }));
        let change = mask.read(|fields| Change::parse(Some(spec), fields))?;
        apply(&mut webhook, change, &sealer)?;
        Ok(webhook)
    }

    #[test]
    fn encryption_needs_a_key_and_the_kind_is_fixed() {
        let field = |refused: Result<Model>| {
            let refused = refused.unwrap_err();
            (refused.reason(), refused.violations()[0].field.clone())
        };
        let encrypted = |key: &str| IncomingWebhookSpec {
            encryption: Some(EncryptionSpec {
                enabled: true,
                key: key.into(),
                mode: 0,
            }),
            ..IncomingWebhookSpec::default()
        };
        let keyless = change(encrypted(""), &["encryption"]);
        let missing = (Reason::MissingField, "encryption.key".to_owned());
        assert_eq!(field(keyless), missing);
        let keyed = change(encrypted(&"k".repeat(32)), &["encryption"]).unwrap();
        assert!(keyed.encryption_enabled && keyed.name.is_empty());
        let other = IncomingWebhookSpec {
            kind: IncomingKind::SendMessage.into(),
            ..IncomingWebhookSpec::default()
        };
        let fixed = (Reason::InvalidValue, "kind".to_owned());
        assert_eq!(field(change(other, &["kind"])), fixed);
    }
}
