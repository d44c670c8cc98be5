//! Changes of an incoming webhook, field by field.

use guildhall_proto::webhooks::v1::IncomingWebhookSpec;
use guildhall_runtime::{Error, Result};

/// Takes the fields that `paths` name over from `wanted` into what a webhook is.
///
/// # Errors
/// INVALID_VALUE for a path that names no field, and for another kind.
pub fn change(
    webhook: &mut IncomingWebhookSpec,
    wanted: IncomingWebhookSpec,
    paths: &[String],
) -> Result<()> {
    for path in paths {
        take(webhook, &wanted, path)?;
    }
    Ok(())
}

fn take(webhook: &mut IncomingWebhookSpec, wanted: &IncomingWebhookSpec, path: &str) -> Result<()> {
    match path {
        "name" => webhook.name.clone_from(&wanted.name),
        "kind" if webhook.kind == wanted.kind => {}
        "kind" => return Err(Error::invalid("kind", "kind cannot be changed")),
        "settings" => webhook.settings.clone_from(&wanted.settings),
        "api_key_enabled" => webhook.api_key_enabled = wanted.api_key_enabled,
        "encryption" => webhook.encryption.clone_from(&wanted.encryption),
        "enabled" => webhook.enabled = wanted.enabled,
        path => return take_inner(webhook, wanted, path),
    }
    Ok(())
}

fn take_inner(
    webhook: &mut IncomingWebhookSpec,
    wanted: &IncomingWebhookSpec,
    path: &str,
) -> Result<()> {
    let settings = webhook.settings.get_or_insert_default();
    let encryption = webhook.encryption.get_or_insert_default();
    let new_settings = wanted.settings.clone().unwrap_or_default();
    let new_encryption = wanted.encryption.clone().unwrap_or_default();
    match path {
        "settings.channel_id" => settings.channel_id = new_settings.channel_id,
        "settings.allowed_channel_ids" => {
            settings.allowed_channel_ids = new_settings.allowed_channel_ids;
        }
        "settings.sender" => settings.sender = new_settings.sender,
        "settings.allowed_fields" => settings.allowed_fields = new_settings.allowed_fields,
        "settings.allowed_currencies" => {
            settings.allowed_currencies = new_settings.allowed_currencies;
        }
        "encryption.enabled" => encryption.enabled = new_encryption.enabled,
        "encryption.mode" => encryption.mode = new_encryption.mode,
        "encryption.key" => encryption.key = new_encryption.key,
        unknown => {
            let description = format!("update_mask names no field: {unknown}");
            return Err(Error::invalid("update_mask", description));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use guildhall_proto::webhooks::v1::{EncryptionSpec, IncomingSettings};

    use super::*;

    #[test]
    fn only_what_is_named_changes() {
        let spec = |text: &str, enabled| IncomingWebhookSpec {
            name: text.into(),
            settings: Some(IncomingSettings {
                channel_id: text.into(),
                sender: text.into(),
                ..IncomingSettings::default()
            }),
            encryption: Some(EncryptionSpec {
                enabled,
                key: text.into(),
                mode: 0,
            }),
            ..IncomingWebhookSpec::default()
        };
        let mut webhook = spec("old", false);
        let paths = ["settings.sender", "encryption.enabled"].map(str::to_owned);
        change(&mut webhook, spec("new", true), &paths).unwrap();
        let mut expected = spec("old", false);
        expected.settings.as_mut().unwrap().sender = "new".into();
        expected.encryption.as_mut().unwrap().enabled = true;
        assert_eq!(webhook, expected);
        for wrong in ["", "id", "settings.id", "address"] {
            assert!(change(&mut webhook, spec("new", true), &[wrong.to_owned()]).is_err());
        }
    }
}
