//! What `--demo` and `guildhall bootstrap` print.

use std::{collections::HashMap, fs, path::Path, process::Output};

use serde::Deserialize;

/// `demo.json`
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    /// Base of the REST contract.
    pub base_url: String,
    /// The gRPC services; in a cluster, messaging.
    pub grpc_url: String,
    /// Identity, where it listens elsewhere.
    pub identity_grpc_url: Option<String>,
    /// The community.
    pub community_id: String,
    /// Its system key.
    pub system_api_key: String,
    /// A community key with every permission.
    pub api_key: String,
    /// A user key of the owner.
    pub user_api_key: String,
    /// The owner, an admin and a member, in this order.
    pub users: Vec<User>,
    /// `general`, `forum`, `announcements`, `dm`.
    pub channels: HashMap<String, String>,
    /// A topic of the forum.
    pub forum_topic_id: String,
    /// For the Sendbird facade.
    pub sendbird: Sendbird,
    /// For the Mudbase facade.
    pub mudbase: Mudbase,
    /// A message in `general`.
    pub message_id: String,
    /// A webhook that sends messages into `general`.
    pub incoming_webhook: IncomingWebhook,
}

/// A webhook that is called from outside.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingWebhook {
    /// 24 hex.
    pub _id: String,
    /// Where it is called.
    pub path: String,
    /// `x-api-key`
    pub api_key: String,
}

/// A user with what they need to log in.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// 24 hex.
    pub _id: String,
    /// The small numeric id.
    pub id: i64,
    /// Their username.
    pub username: String,
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: String,
    /// A JWT; empty in the answer of `bootstrap`.
    #[serde(default)]
    pub jwt: String,
}

/// For the Sendbird facade.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sendbird {
    /// `Api-Token`
    pub api_token: String,
    /// A group channel.
    pub channel_url: String,
    /// One of its members.
    pub user_id: String,
    /// A message in it.
    pub message_id: i64,
}

/// For the Mudbase facade.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mudbase {
    /// The community.
    pub project_id: String,
    /// The owner's JWT.
    pub jwt: String,
    /// A chat of theirs.
    pub chat_id: String,
    /// A message in it.
    pub message_id: String,
}

/// What `guildhall bootstrap` prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrapped {
    /// The community.
    pub community_id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its owner.
    pub owner: User,
    /// Its system key.
    pub system_api_key: String,
    /// A community key with every permission.
    pub api_key: String,
    /// A user key of the owner.
    pub user_api_key: String,
    /// `Api-Token`
    pub sendbird_api_token: String,
}

impl Bootstrapped {
    /// The arguments of the command that makes one.
    pub(crate) fn command<'a>(name: &'a str, owner_email: &'a str) -> [&'a str; 5] {
        [
            "bootstrap",
            "--community",
            name,
            "--owner-email",
            owner_email,
        ]
    }

    /// Reads what `guildhall bootstrap` has printed.
    pub(crate) fn printed(output: &Output) -> Self {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        serde_json::from_slice(&output.stdout).expect("credentials")
    }
}

impl Demo {
    /// Reads `<data_dir>/demo.json`.
    pub(crate) fn read(data_dir: &Path) -> Self {
        let json = fs::read(data_dir.join("demo.json")).expect("demo.json");
        serde_json::from_slice(&json).expect("demo.json of its shape")
    }

    /// The id of a demo channel.
    #[must_use]
    pub fn channel(&self, name: &str) -> &str {
        &self.channels[name]
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, username: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.username == username)
            .expect("a demo user")
    }
}
