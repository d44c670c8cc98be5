//! The bodies of calls, by the kind of their webhook.

use guildhall_data::ChannelId;
use guildhall_runtime::{Error, Result};
use guildhall_types::id;
use serde_json::{Map, Value};

use super::{Currency, Kind, MAX_LISTED, Settings};
use crate::domain::body::Body;

/// What a call asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Send a message.
    SendMessage(NewMessage),
    /// Set fields of a user.
    UpdateUserFields(UserFieldsUpdate),
    /// Change a balance of a user.
    UpdateCurrency(CurrencyUpdate),
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its text, not yet checked.
    pub text: String,
    /// The author, when it is another than that of the settings.
    pub sender: Option<String>,
    /// The channel, when it is another than that of the settings.
    pub channel: Option<ChannelId>,
    /// The topic, in forum channels.
    pub topic: Option<String>,
}

/// Fields of a user to set.
#[derive(Debug, Clone, PartialEq)]
pub struct UserFieldsUpdate {
    /// Whose.
    pub user: String,
    /// Their new values by name.
    pub fields: Map<String, Value>,
}

/// A balance to change.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrencyUpdate {
    /// Whose.
    pub user: String,
    /// Which.
    pub currency: Currency,
    /// How.
    pub operation: Operation,
    /// By how much, or to what.
    pub amount: i64,
    /// Why, as the user reads it.
    pub reason: Option<String>,
    /// The same value again answers the first result.
    pub transaction: Option<String>,
}

/// How a balance is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `add`
    Add,
    /// `subtract`
    Subtract,
    /// `set`
    Set,
}

impl Call {
    /// Reads the body of a call of a webhook. Unknown fields are ignored.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn read(kind: Kind, settings: &Settings, mut body: Body) -> Result<Self> {
        match kind {
            Kind::SendMessage => new_message(&mut body).map(Self::SendMessage),
            Kind::UpdateUserFields => user_fields(&mut body, settings).map(Self::UpdateUserFields),
            Kind::UpdateCurrency => currency(&mut body, settings).map(Self::UpdateCurrency),
        }
    }
}

fn new_message(body: &mut Body) -> Result<NewMessage> {
    let channel = body.text("channelId")?;
    Ok(NewMessage {
        text: body.required("message")?,
        sender: body.text("sender")?,
        channel: channel.map(|id| id::parse("channelId", &id)).transpose()?,
        topic: body.text("forumTopicId")?,
    })
}

fn user_fields(body: &mut Body, settings: &Settings) -> Result<UserFieldsUpdate> {
    let user = user(body)?;
    let fields = match body.take("fields")? {
        Some(Value::Object(fields)) if !fields.is_empty() => fields,
        Some(Value::Object(_)) | None => return Err(Error::missing("fields")),
        Some(_) => return Err(Error::invalid("fields", "fields must be an object")),
    };
    if fields.len() > MAX_LISTED {
        let description = format!("fields must be at most {MAX_LISTED}");
        return Err(Error::invalid("fields", description));
    }
    let unknown = fields
        .keys()
        .find(|name| !settings.allowed_fields.contains(name));
    match unknown {
        Some(name) => {
            let field = format!("fields.{name}");
            let description = format!("{field} is not a field that the webhook may set");
            Err(Error::invalid(field, description))
        }
        None => Ok(UserFieldsUpdate { user, fields }),
    }
}

fn currency(body: &mut Body, settings: &Settings) -> Result<CurrencyUpdate> {
    let user = user(body)?;
    let currency = Currency::parse("currency", &body.required("currency")?)?;
    if !settings.allowed_currencies.contains(&currency) {
        let description = "currency is not one that the webhook may change";
        return Err(Error::invalid("currency", description));
    }
    let operation = match body.required("operation")?.as_str() {
        "add" => Operation::Add,
        "subtract" => Operation::Subtract,
        "set" => Operation::Set,
        _ => {
            let description = "operation must be add, subtract or set";
            return Err(Error::invalid("operation", description));
        }
    };
    Ok(CurrencyUpdate {
        user,
        currency,
        operation,
        amount: body.amount("amount")?,
        reason: body.text("reason")?,
        transaction: body.text("transactionId")?,
    })
}

/// The user whom a body names by `email` or `userId`.
fn user(body: &mut Body) -> Result<String> {
    let (email, id) = (body.text("email")?, body.text("userId")?);
    email.or(id).ok_or_else(|| Error::missing("email"))
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use serde_json::json;

    use super::*;

    fn read(kind: Kind, body: &Value) -> Result<Call> {
        let settings = Settings {
            allowed_fields: vec!["tier".into()],
            allowed_currencies: vec![Currency::Coins],
            ..Settings::default()
        };
        let body = Body::new(body.as_object().unwrap().clone());
        Call::read(kind, &settings, body)
    }

    fn refusal(kind: Kind, body: &Value) -> (Reason, String) {
        let error = read(kind, body).unwrap_err();
        (error.reason(), error.violations()[0].field.clone())
    }

    #[test]
    fn a_message_alone_suffices() {
        let call = read(
            Kind::SendMessage,
            &json!({ "message": "Hi", "sender": null, "x": 1 }),
        );
        let expected = NewMessage {
            text: "Hi".into(),
            sender: None,
            channel: None,
            topic: None,
        };
        assert_eq!(call.unwrap(), Call::SendMessage(expected));
    }

    #[test]
    fn every_field_is_read_in_either_spelling() {
        let channel = ChannelId::generate();
        let spelled = json!({
            "message": "Hi", "channel_id": channel.to_string(), "forum_topic_id": "topic"
        });
        let Call::SendMessage(message) = read(Kind::SendMessage, &spelled).unwrap() else {
            panic!("another kind");
        };
        assert_eq!(message.channel, Some(channel));
        assert_eq!(message.topic.as_deref(), Some("topic"));
        let spelled = json!({
            "user_id": "1201", "currency": "coins", "operation": "set", "amount": 5.0,
            "transaction_id": "t1"
        });
        let Call::UpdateCurrency(update) = read(Kind::UpdateCurrency, &spelled).unwrap() else {
            panic!("another kind");
        };
        assert_eq!((update.user.as_str(), update.amount), ("1201", 5));
        assert_eq!(update.transaction.as_deref(), Some("t1"));
        let spelled = json!({ "user_id": "1201", "fields": { "tier": "gold" } });
        assert!(read(Kind::UpdateUserFields, &spelled).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        use Kind::{SendMessage, UpdateCurrency, UpdateUserFields};
        use Reason::{InvalidValue, MalformedId, MissingField};
        let coins = |field: &str, value: Value| {
            let mut body = json!({
                "userId": "1201", "currency": "coins", "operation": "add", "amount": 100
            });
            body[field] = value;
            body
        };
        for (kind, body, reason, field) in [
            (SendMessage, json!({}), MissingField, "message"),
            (
                SendMessage,
                json!({ "message": 1 }),
                InvalidValue,
                "message",
            ),
            (
                SendMessage,
                json!({ "message": "Hi", "channelId": "x" }),
                MalformedId,
                "channelId",
            ),
            (
                UpdateUserFields,
                json!({ "fields": { "tier": 1 } }),
                MissingField,
                "email",
            ),
            (
                UpdateUserFields,
                json!({ "email": "a@b.example" }),
                MissingField,
                "fields",
            ),
            (
                UpdateUserFields,
                json!({ "email": "a@b.example", "fields": { "lots": 12 } }),
                InvalidValue,
                "fields.lots",
            ),
            (
                UpdateCurrency,
                coins("userId", Value::Null),
                MissingField,
                "email",
            ),
            (
                UpdateCurrency,
                coins("currency", "gold".into()),
                InvalidValue,
                "currency",
            ),
            (
                UpdateCurrency,
                coins("currency", "xp".into()),
                InvalidValue,
                "currency",
            ),
            (
                UpdateCurrency,
                coins("operation", "double".into()),
                InvalidValue,
                "operation",
            ),
            (
                UpdateCurrency,
                coins("amount", json!(-1)),
                InvalidValue,
                "amount",
            ),
            (
                UpdateCurrency,
                coins("amount", Value::Null),
                MissingField,
                "amount",
            ),
        ] {
            assert_eq!(refusal(kind, &body), (reason, field.to_owned()), "{body}");
        }
        assert!(read(UpdateCurrency, &coins("reason", "promo".into())).is_ok());
    }
}
