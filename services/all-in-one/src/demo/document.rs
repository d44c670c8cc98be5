//! What `demo.json` holds.

use serde::{Deserialize, Serialize};

/// Where the platform is reached.
pub struct Addresses {
    /// Base of the REST contract.
    pub http: String,
    /// The gRPC services.
    pub grpc: String,
    /// Identity, where it is not behind the same address.
    pub identity_grpc: Option<String>,
}

/// What `demo.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    pub base_url: String,
    pub grpc_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_grpc_url: Option<String>,
    pub community_id: String,
    pub system_api_key: String,
    pub api_key: String,
    pub user_api_key: String,
    pub users: Vec<DemoUser>,
    pub channels: Channels,
    pub forum_topic_id: String,
    pub sendbird: Sendbird,
    pub mudbase: Mudbase,
    /// A message in `general`, to reply and react to.
    pub message_id: String,
    /// Absent in files of older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incoming_webhook: Option<IncomingWebhook>,
}

/// A webhook that sends messages into `general`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingWebhook {
    pub _id: String,
    /// Behind `baseUrl`.
    pub path: String,
    pub api_key: String,
}

#[derive(Serialize, Deserialize)]
pub struct DemoUser {
    pub _id: String,
    pub id: i64,
    pub username: String,
    pub email: String,
    pub password: String,
    pub jwt: String,
}

#[derive(Serialize, Deserialize)]
pub struct Channels {
    pub general: String,
    pub forum: String,
    pub announcements: String,
    pub dm: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sendbird {
    pub api_token: String,
    pub channel_url: String,
    pub user_id: String,
    pub message_id: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mudbase {
    pub project_id: String,
    pub jwt: String,
    pub chat_id: String,
    pub message_id: String,
}
