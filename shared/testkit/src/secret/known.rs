//! Which secrets there are.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::Kind;

/// What is shorter stands in a log by chance.
const SHORTEST: usize = 12;

/// What is longer is known by its beginning: a message may be as long as the gateway takes.
const LONGEST: usize = 1024;

/// A key is 64 hexadecimal characters; what else is called so may be the name of an emoji.
const KEY: usize = 32;

/// How many messages are remembered: a test under load sends any number of the same make.
const MESSAGES: usize = 200;

/// How many secrets there may be besides; a suite of this size makes some thousands.
const SECRETS: usize = 100_000;

/// The secrets of this process: of one test, or of all tests of a file.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Known {
    secrets: HashMap<String, Kind>,
    messages: usize,
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every secret so far.
pub(super) fn all() -> Vec<(String, Kind)> {
    let known = known();
    let secrets = known.secrets.iter();
    secrets.map(|(text, kind)| (text.clone(), *kind)).collect()
}

/// From now on, no log may show `text`; what is shorter than twelve characters is not looked for.
///
/// # Panics
/// When there are more secrets than any test should make.
pub fn learn(kind: Kind, text: &str) {
    if text.len() < SHORTEST {
        return;
    }
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let mut known = known();
    if known.secrets.contains_key(text) {
        return;
    }
    if kind == Kind::Message {
        if known.messages == MESSAGES {
            return;
        }
        known.messages += 1;
    }
    known.secrets.insert(text.to_owned(), kind);
    let secrets = known.secrets.len() - known.messages;
    drop(known);
    assert!(secrets <= SECRETS, "too many secrets to look for");
}

/// Adds every secret so far to a file, for a search of another process.
pub(crate) fn write_down(path: &Path) {
    let lines = all()
        .into_iter()
        .map(|secret| format!("{}\n", json!(secret)));
    let lines = lines.collect::<String>();
    // In one write, since other tests write to the file, too.
    let file = File::options().append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(lines.as_bytes()));
    written.expect("the file of secrets");
}

/// Learns the secrets that other processes have written down.
pub(crate) fn learn_written(path: &Path) {
    let lines = fs::read_to_string(path).expect("the file of secrets");
    for line in lines.lines() {
        let (text, kind): (String, Kind) = serde_json::from_str(line).expect("a secret");
        learn(kind, &text);
    }
}

/// Learns what a caller presents, with or without a scheme before it.
pub(crate) fn learn_credential(presented: &str) {
    let presented = presented.trim();
    let text = presented
        .split_once(' ')
        .map_or(presented, |(_, text)| text);
    learn(Kind::Credential, text.trim());
}

/// Learns what a call's body holds.
pub(crate) fn learn_sent(body: &Value) {
    visit(body, &mut |field, text| match field {
        "message" | "text" | "content" => learn(Kind::Message, text),
        _ => learn_field(field, text),
    });
}

/// Learns what an answer hands out.
pub(crate) fn learn_answer(body: &str) {
    // Most answers hold none, and a long list takes a while to read.
    if ["oken\"", "ey\"", "jwt\"", "assword\"", "ecret\""]
        .iter()
        .any(|end| body.contains(end))
    {
        learn_printed(body.as_bytes());
    }
}

/// Learns what a file or an output holds, when it is JSON.
pub(crate) fn learn_printed(text: &[u8]) {
    if let Ok(json) = serde_json::from_slice(text) {
        visit(&json, &mut learn_field);
    }
}

fn learn_field(field: &str, text: &str) {
    let field = field.to_ascii_lowercase();
    if field.ends_with("password") {
        learn(Kind::Password, text);
    } else if ["token", "jwt", "secret"]
        .iter()
        .any(|end| field.ends_with(end))
        || field.ends_with("key") && text.len() >= KEY
    {
        learn(Kind::Credential, text);
    }
}

/// Shows every text of a document with the name of its field.
fn visit(value: &Value, show: &mut impl FnMut(&str, &str)) {
    let fields: Vec<(&str, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect(),
        Value::Array(values) => values.iter().map(|value| ("", value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (name, value) in fields {
        match value {
            Value::String(text) => show(name, text),
            Value::Array(_) | Value::Object(_) => visit(value, show),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
