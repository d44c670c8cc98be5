//! What the path and body of an operation are filled with.

use std::collections::BTreeMap;

use guildhall_testkit::Rest;
use serde_json::Value;

use crate::{Credential, OPERATIONS, operation::Kind};

/// The id of a record that is not there.
pub const UNKNOWN: &str = "0123456789abcdef01234567";

/// The records that an operation names.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// A channel by id.
    pub channel: String,
    /// A message in it by id.
    pub message: String,
    /// A member's username.
    pub sender: String,
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// A channel by its Sendbird url.
    pub url: String,
    /// A message in it by its Sendbird number.
    pub number: i64,
    /// A Mudbase project.
    pub project: String,
    /// A chat of it.
    pub chat: String,
    /// A message in it.
    pub chat_message: String,
    /// An outgoing webhook by id.
    pub outgoing: String,
    /// A delivery of it by id.
    pub delivery: String,
    /// The records that operations make.
    pub records: Records,
}

/// Ids of records, by the collections in which paths name them: `incoming` of
/// `/v1/webhooks/incoming/{webhookId}`. The operations that make them say which there are.
#[derive(Debug, Clone)]
pub struct Records(BTreeMap<&'static str, String>);

impl Records {
    /// This id in each collection.
    #[must_use]
    pub fn all(id: &str) -> Self {
        let collections = OPERATIONS.iter().filter_map(|operation| operation.makes);
        Self(collections.map(|name| (name, id.to_owned())).collect())
    }

    /// Makes a record in each collection, as a sample of the operation that makes one says.
    pub(crate) async fn make(
        rest: &Rest,
        mut parameters: Parameters,
        credential: impl Fn(Kind) -> Credential,
    ) -> Self {
        for operation in OPERATIONS.iter() {
            let Some(collection) = operation.makes else {
                continue;
            };
            let call = operation.bare(rest, &parameters);
            let call = credential(operation.kinds[0]).sign(call);
            // Tests of the operation itself make others.
            let body = operation.varied_body(&parameters, "Ours");
            let call = body.iter().fold(call, |call, body| call.json(body));
            let made = call.send().await.expect(operation.success);
            parameters
                .records
                .set(collection, id_of(operation.family.record(&made)));
        }
        parameters.records
    }

    /// The placeholder of a collection's record in a path.
    pub(crate) fn field(collection: &str) -> String {
        format!("{{{collection}}}")
    }

    /// Each collection with the id of its record.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, id)| (*name, id.as_str()))
    }

    /// Names another record of a collection.
    pub fn set(&mut self, collection: &'static str, id: &str) {
        self.0.insert(collection, id.to_owned());
    }
}

impl Parameters {
    /// `template` with its `{…}` replaced.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        let filled = template
            .replace("{channel}", &self.channel)
            .replace("{message}", &self.message)
            .replace("{sender}", &self.sender)
            .replace("{url}", &self.url)
            .replace("{number}", &self.number.to_string())
            .replace("{project}", &self.project)
            .replace("{chat}", &self.chat)
            .replace("{chat_message}", &self.chat_message)
            .replace("{outgoing}", &self.outgoing)
            .replace("{delivery}", &self.delivery);
        let records = self.records.iter();
        records.fold(filled, |path, (collection, id)| {
            path.replace(&Records::field(collection), id)
        })
    }
}

fn id_of(record: &Value) -> &str {
    let id = record["_id"].as_str().or(record["id"].as_str());
    id.unwrap_or_else(|| panic!("no id in {record}"))
}
