//! Every operation of the REST contract that needs a credential, as one table: its row says who may
//! call it and how it answers, its sample how it is called well.

mod sample;

use std::sync::LazyLock;

use guildhall_auth::permission;
use guildhall_testkit::{Answer, Call, Rest};
use http::Method;
use serde_json::{Value, json};

use self::sample::{SAMPLES, Sample};
use crate::{
    Credential, Family, Parameters, Records,
    row::{self, Row},
};

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The community's one system key.
    SystemKey,
    /// A key that admins made.
    CommunityKey,
    /// A key that a member made.
    UserKey,
    /// A logged-in member.
    Jwt,
    /// A token of the Sendbird facade.
    SendbirdToken,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::SystemKey,
        Self::CommunityKey,
        Self::UserKey,
        Self::Jwt,
        Self::SendbirdToken,
    ];

    /// As the auth column calls it; none for what opens one record alone.
    fn named(word: &str) -> Option<Self> {
        match word {
            "system-key" => Some(Self::SystemKey),
            "community-key" => Some(Self::CommunityKey),
            "user-key" => Some(Self::UserKey),
            "jwt" | "mudbase-jwt" => Some(Self::Jwt),
            "sendbird-token" => Some(Self::SendbirdToken),
            _ => None,
        }
    }

    /// Whether it carries permissions.
    #[must_use]
    pub fn carries_permissions(self) -> bool {
        matches!(self, Self::CommunityKey | Self::UserKey)
    }
}

/// What the same call finds once it was made, e.g. with another credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It works as often as it is made.
    Works,
    /// What it removes is gone: 404.
    IsGone,
    /// What it makes is there: 409.
    IsThere,
}

/// Whom an operation of the table is for, where its row answers in two families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callers {
    All,
    SystemKeys,
    Others,
}

/// An operation, in one family of answers.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id in the contract.
    pub id: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// Path and query; `{…}` are fields of a [`Parameters`].
    pub path: String,
    /// A body that the contract shows.
    pub body: Option<fn(&Parameters) -> Value>,
    /// The body's field that holds a text of the caller's own.
    pub text: Option<&'static str>,
    /// The shape of its answers.
    pub family: Family,
    /// The credentials that it takes.
    pub kinds: Vec<Kind>,
    /// The permission that a community key or user key must carry.
    pub permission: Option<&'static str>,
    /// The status of success.
    pub success: u16,
    /// The collection whose records it makes: `incoming` of `/v1/webhooks/incoming/{webhookId}`.
    pub makes: Option<&'static str>,
    varies: Option<&'static str>,
    other: &'static str,
    again: Again,
    callers: Callers,
}

/// Every operation that needs a credential, in the order of the samples.
pub static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let rows = row::all();
    let of = |sample: &'static Sample| {
        let row = rows.iter().find(|row| row.id == sample.id);
        Operation::of(row.expect("a row of the contract"), sample)
    };
    SAMPLES.iter().flat_map(of).collect()
});

impl Operation {
    /// A row with its sample; two of them when system keys are answered in another family.
    fn of(row: &Row, sample: &'static Sample) -> Vec<Self> {
        let family = Family::named(row.envelope);
        let kinds = row.auth.iter().filter_map(|word| Kind::named(word));
        let kinds = kinds.filter(|kind| sample.members || *kind != Kind::Jwt);
        let whole = Self {
            id: sample.id,
            method: row.method.parse().expect("a method"),
            path: format!("{}{}", template(row, family), sample.query),
            body: sample.body,
            text: sample.text,
            family,
            kinds: kinds.collect(),
            permission: permission_of(row),
            success: row.success,
            makes: sample.makes,
            varies: sample.varies,
            other: sample.other,
            again: sample.again,
            callers: Callers::All,
        };
        if !sample.splits {
            return vec![whole];
        }
        let (system, others) = whole
            .kinds
            .iter()
            .partition(|kind| **kind == Kind::SystemKey);
        let others = Self {
            kinds: others,
            callers: Callers::Others,
            ..whole.clone()
        };
        let system = Self {
            kinds: system,
            family: Family::E3,
            permission: None,
            callers: Callers::SystemKeys,
            ..whole
        };
        vec![others, system]
    }

    /// The operation of this id; of several, the first.
    #[must_use]
    pub fn named(id: &str) -> &'static Self {
        let found = OPERATIONS.iter().find(|operation| operation.id == id);
        found.unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// Those that take an Idempotency-Key.
    pub fn posts() -> impl Iterator<Item = &'static Self> {
        OPERATIONS
            .iter()
            .filter(|operation| operation.method == Method::POST)
    }

    /// Every permission that one of them asks for.
    #[must_use]
    pub fn permissions() -> Vec<&'static str> {
        let asked = OPERATIONS
            .iter()
            .filter_map(|operation| operation.permission);
        let mut asked: Vec<_> = asked.collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// Whether `answer` is the one of success, or says that the same was done before.
    #[must_use]
    pub fn succeeds(&self, answer: &Answer) -> bool {
        let again = match self.again {
            Again::Works => None,
            Again::IsGone => Some(404),
            Again::IsThere => Some(409),
        };
        answer.status == self.success || Some(answer.status) == again
    }

    /// Whether it answers a call with this credential. Of a row that answers system keys in another
    /// family, each half answers its own.
    #[must_use]
    pub fn answers(&self, credential: &Credential) -> bool {
        let system = matches!(credential, Credential::SystemKey(_));
        match self.callers {
            Callers::All => true,
            Callers::SystemKeys => system,
            Callers::Others => !system,
        }
    }

    /// The families in which its row answers.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        let twins = OPERATIONS.iter().filter(|other| other.id == self.id);
        twins.map(|twin| twin.family)
    }

    /// The credentials that its row takes.
    pub fn all_kinds(&self) -> impl Iterator<Item = Kind> {
        let twins = OPERATIONS.iter().filter(|other| other.id == self.id);
        twins.flat_map(|twin| twin.kinds.iter().copied())
    }

    /// Whether its call names a record that is another one in `other` than in `one`.
    #[must_use]
    pub fn tells_apart(&self, one: &Parameters, other: &Parameters) -> bool {
        let body = |parameters| self.body.map(|body| body(parameters));
        one.fill(&self.path) != other.fill(&self.path) || body(one) != body(other)
    }

    /// Another good body, so that the call is another one; none when it has no body.
    #[must_use]
    pub fn another_body(&self, parameters: &Parameters) -> Option<Value> {
        self.varied_body(parameters, self.other)
    }

    /// A good body with this value in the field that varies; none when it has no body.
    ///
    /// # Panics
    /// When its sample does not say which field varies.
    #[must_use]
    pub fn varied_body(&self, parameters: &Parameters, value: &str) -> Option<Value> {
        let mut body = self.body?(parameters);
        let field = self.varies;
        let field = field.unwrap_or_else(|| panic!("{}: which field varies?", self.id));
        body[field] = json!(value);
        Some(body)
    }

    /// The call without credential and body.
    #[must_use]
    pub fn bare(&self, rest: &Rest, parameters: &Parameters) -> Call {
        rest.call(self.method.clone(), &parameters.fill(&self.path))
    }

    /// The call without credential.
    #[must_use]
    pub fn unsigned(&self, rest: &Rest, parameters: &Parameters) -> Call {
        let call = self.bare(rest, parameters);
        match self.body {
            Some(body) => call.json(&body(parameters)),
            None => call,
        }
    }

    /// The whole call.
    #[must_use]
    pub fn call(&self, rest: &Rest, parameters: &Parameters, credential: &Credential) -> Call {
        credential.sign(self.unsigned(rest, parameters))
    }

    /// Makes the whole call.
    pub async fn make(
        &self,
        rest: &Rest,
        parameters: &Parameters,
        credential: &Credential,
    ) -> Answer {
        self.call(rest, parameters, credential).send().await
    }
}

/// The permission that keys must carry.
fn permission_of(row: &Row) -> Option<&'static str> {
    let words = row.permission.iter();
    words.copied().find(|word| permission::parse(word).is_ok())
}

/// The row's path with fields of a [`Parameters`] for its parameters.
fn template(row: &Row, family: Family) -> String {
    let mut segments: Vec<String> = Vec::new();
    for segment in row.path.split('/') {
        let collection = segments.last().map_or("", String::as_str);
        let field = match segment.starts_with('{') {
            true => field(row, family, collection, segment),
            false => segment.to_owned(),
        };
        segments.push(field);
    }
    segments.join("/")
}

/// The field for a parameter in the row's path, which follows `collection`.
fn field(row: &Row, family: Family, collection: &str, parameter: &str) -> String {
    let field = match (collection, parameter) {
        (_, "{channel_type}") => "group_channels",
        (_, "{channel_url}") => "{url}",
        (_, "{message_id}") => "{number}",
        (_, "{projectId}") => "{project}",
        (_, "{chatId}") => "{chat}",
        ("messages", "{messageId}") if family == Family::Mudbase => "{chat_message}",
        ("messages", "{messageId}") => "{message}",
        ("outgoing", "{webhookId}") => "{outgoing}",
        (_, "{deliveryId}") => "{delivery}",
        (collection, parameter) => {
            let is_made = SAMPLES.iter().any(|row| row.makes == Some(collection));
            assert!(
                is_made,
                "{}: which record is {parameter}? The line in operation/sample.rs of the row that \
                 makes one must say so: .makes(\"{collection}\")",
                row.id
            );
            return Records::field(collection);
        }
    };
    field.to_owned()
}
