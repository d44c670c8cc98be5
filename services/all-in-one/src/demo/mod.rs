//! `--demo`: a community to try things out with.
//!
//! Made once, through the same RPCs that any caller uses. The credentials are in
//! `<data-dir>/demo.json` (mode 0600), and for curl in `demo.curl`, so that no key stands in a
//! shell's history.

mod document;

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use guildhall_auth::credential::{Credential, Scheme};
use guildhall_catalog::{IDENTITY, MESSAGING, WEBHOOKS};
use guildhall_identity::{Bootstrapped, Identity, NewCommunity, NewMember};
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{
        LoginRequest, User, authentication_service_client::AuthenticationServiceClient,
        login_request::Account,
    },
    messaging::v1::{
        ChannelType, CreateChannelRequest, CreateTopicRequest, Message, SendMessageRequest,
        channel_service_client::ChannelServiceClient, message_service_client::MessageServiceClient,
        topic_service_client::TopicServiceClient,
    },
    webhooks::v1::{
        CreateIncomingWebhookRequest, IncomingKind, IncomingSettings, IncomingWebhookSpec,
        incoming_webhook_service_client::IncomingWebhookServiceClient,
    },
};
use guildhall_runtime::{Error, Peer, Reason, Result, private::require_private};
use guildhall_server::Peers;
use tonic::Request;

pub use document::Addresses;
use document::{Channels, Demo, DemoUser, IncomingWebhook, Mudbase, Sendbird};

use crate::{data, output::say};

const COMMUNITY: &str = "Demo";
const OWNER: &str = "johndoe";
/// Username, given and family name, role.
const MEMBERS: [(&str, &str, &str, Role); 2] = [
    ("ada", "Ada", "Lovelace", Role::Admin),
    ("grace", "Grace", "Hopper", Role::Member),
];
/// The address of the direct-message channel in the Sendbird facade.
const GROUP_CHANNEL: &str = "demo-group";

/// Makes the demo community when it is not there, renews its tokens, and says how to try it.
pub async fn prepare(
    identity: &Identity,
    services: &Peers,
    data_dir: &Path,
    addresses: &Addresses,
) -> Result<()> {
    data::make_private(data_dir)?;
    let (file, curl) = (data_dir.join("demo.json"), data_dir.join("demo.curl"));
    require_private(&file)?;
    require_private(&curl)?;
    let mut demo = match fs::read(&file) {
        Ok(json) => serde_json::from_slice(&json).map_err(|error| {
            Error::bug(format!(
                "{} is damaged ({error}): restore it, or choose another --data-dir",
                file.display()
            ))
        })?,
        Err(_)
            if identity
                .find_community(&COMMUNITY.to_lowercase())
                .await?
                .is_some() =>
        {
            return Err(Error::bug(format!(
                "the demo community is there, but {} is gone and its keys cannot be shown again: \
                 choose another --data-dir, or remove this one",
                file.display()
            )));
        }
        Err(_) => make(identity, services).await?,
    };
    demo.base_url.clone_from(&addresses.http);
    demo.grpc_url.clone_from(&addresses.grpc);
    demo.identity_grpc_url.clone_from(&addresses.identity_grpc);
    for user in &mut demo.users {
        user.jwt = login(
            &services.get(IDENTITY)?,
            &demo.system_api_key,
            &user.email,
            &user.password,
        )
        .await?;
    }
    if let Some(owner) = demo.users.first() {
        demo.mudbase.jwt.clone_from(&owner.jwt);
    }
    let json = serde_json::to_vec_pretty(&demo).map_err(Error::internal)?;
    write_private(&file, &json)?;
    write_private(&curl, curl_config(&demo).as_bytes())?;
    introduce(&demo, &file, &curl)
}

async fn make(identity: &Identity, services: &Peers) -> Result<Demo> {
    let owner_email = format!("{OWNER}@example.com");
    let new = NewCommunity {
        name: COMMUNITY.into(),
        owner_email,
    };
    let made = identity.bootstrap(new).await?;
    let mut users = vec![demo_user(&made.owner, &made.owner_password)];
    for (username, first_name, last_name, role) in MEMBERS {
        let member = NewMember {
            username: username.into(),
            email: format!("{username}@example.com"),
            display_name: first_name.into(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            role,
            password: None,
        };
        let (user, password) = identity.add_member(made.community_id, member).await?;
        users.push(demo_user(&user, &password));
    }
    fill(services, &made, users).await
}

fn demo_user(user: &User, password: &str) -> DemoUser {
    DemoUser {
        _id: user.id.clone(),
        id: user.number,
        username: user.username.clone(),
        email: user.email.clone(),
        password: password.to_owned(),
        jwt: String::new(),
    }
}

/// Channels, a topic, the first messages and a webhook.
async fn fill(services: &Peers, made: &Bootstrapped, users: Vec<DemoUser>) -> Result<Demo> {
    let peer = &services.get(MESSAGING)?;
    let maker = DemoMaker { peer, made };
    let sendbird = Credential::new(Scheme::SendbirdToken, &made.sendbird_token);
    let dm = maker
        .channel(
            &sendbird,
            CreateChannelRequest {
                topic: "Team".into(),
                r#type: ChannelType::Dm.into(),
                participants: users.iter().map(|user| user.username.clone()).collect(),
                url: GROUP_CHANNEL.into(),
                ..Default::default()
            },
        )
        .await?;
    let mut ids = Vec::new();
    for (topic, kind) in [
        ("General", ChannelType::Open),
        ("Forum", ChannelType::Forum),
        ("Announcements", ChannelType::Announcement),
    ] {
        let system = Credential::new(Scheme::SystemKey, &made.system_key);
        let request = CreateChannelRequest {
            topic: topic.into(),
            r#type: kind.into(),
            ..Default::default()
        };
        ids.push(maker.channel(&system, request).await?);
    }
    let [general, forum, announcements] = <[String; 3]>::try_from(ids)
        .map_err(|_| Error::bug("three channels were made, but not three came back"))?;
    let first = maker.message(&dm, "Welcome, team").await?;
    let welcome = maker.message(&general, "Welcome to Guildhall").await?;
    let forum_topic_id = maker.topic(&forum).await?;
    let webhook = maker
        .incoming_webhook(&services.get(WEBHOOKS)?, &general)
        .await?;
    Ok(Demo {
        base_url: String::new(),
        grpc_url: String::new(),
        identity_grpc_url: None,
        community_id: made.community_id.to_string(),
        system_api_key: made.system_key.to_string(),
        api_key: made.api_key.to_string(),
        user_api_key: made.user_api_key.to_string(),
        sendbird: Sendbird {
            api_token: made.sendbird_token.to_string(),
            channel_url: GROUP_CHANNEL.into(),
            user_id: OWNER.into(),
            message_id: first.number,
        },
        mudbase: Mudbase {
            project_id: made.community_id.to_string(),
            jwt: String::new(),
            chat_id: dm.clone(),
            message_id: first.id,
        },
        channels: Channels {
            general,
            forum,
            announcements,
            dm,
        },
        forum_topic_id,
        message_id: welcome.id,
        incoming_webhook: Some(webhook),
        users,
    })
}

struct DemoMaker<'a> {
    peer: &'a Peer,
    made: &'a Bootstrapped,
}

impl DemoMaker<'_> {
    fn by_key<T>(&self, message: T) -> Request<T> {
        signed(
            message,
            &Credential::new(Scheme::Bearer, &self.made.api_key),
        )
    }

    async fn channel(&self, by: &Credential, request: CreateChannelRequest) -> Result<String> {
        let answer = ChannelServiceClient::new(self.peer.clone())
            .create_channel(signed(request, by))
            .await?
            .into_inner();
        Ok(answer.channel.unwrap_or_default().id)
    }

    async fn topic(&self, forum: &str) -> Result<String> {
        let request = CreateTopicRequest {
            channel_id: forum.into(),
            title: "First steps".into(),
            sender: OWNER.into(),
            ..Default::default()
        };
        let answer = TopicServiceClient::new(self.peer.clone())
            .create_topic(self.by_key(request))
            .await?;
        Ok(answer.into_inner().topic.unwrap_or_default().id)
    }

    async fn incoming_webhook(&self, peer: &Peer, channel: &str) -> Result<IncomingWebhook> {
        let spec = IncomingWebhookSpec {
            name: "News".into(),
            kind: IncomingKind::SendMessage.into(),
            settings: Some(IncomingSettings {
                channel_id: channel.into(),
                sender: OWNER.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = self.by_key(CreateIncomingWebhookRequest { spec: Some(spec) });
        let answer = IncomingWebhookServiceClient::new(peer.clone())
            .create_incoming_webhook(request)
            .await?
            .into_inner();
        let webhook = answer.webhook.unwrap_or_default();
        Ok(IncomingWebhook {
            _id: webhook.id,
            path: format!("/v1/webhooks/incoming/{}", webhook.address),
            api_key: answer.api_key,
        })
    }

    async fn message(&self, channel: &str, text: &str) -> Result<Message> {
        let request = SendMessageRequest {
            channel: channel.into(),
            sender: OWNER.into(),
            text: text.into(),
            ..Default::default()
        };
        let answer = MessageServiceClient::new(self.peer.clone())
            .send_message(self.by_key(request))
            .await?;
        answer
            .into_inner()
            .message
            .ok_or_else(|| Error::bug("a message was sent, but none came back"))
    }
}

async fn login(peer: &Peer, system_key: &str, email: &str, password: &str) -> Result<String> {
    let request = LoginRequest {
        account: Some(Account::Email(email.into())),
        password: password.into(),
    };
    let request = signed(request, &Credential::new(Scheme::SystemKey, system_key));
    match AuthenticationServiceClient::new(peer.clone())
        .login(request)
        .await
    {
        Ok(answer) => Ok(answer.into_inner().token),
        Err(status) => match Error::from(status) {
            // The password was changed: the file has nothing newer than the old token.
            error if error.reason() == Reason::LoginRefused => Ok(String::new()),
            error => Err(error),
        },
    }
}

fn signed<T>(message: T, credential: &Credential) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(value) = tonic::metadata::MetadataValue::try_from(credential.to_metadata().as_bytes())
    {
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// Writes a file beside it and renames that, so that half a file is never read.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let beside: PathBuf = path.with_extension("new");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| Error::bug(format!("cannot write {}: {error}", path.display())))
}

fn curl_config(demo: &Demo) -> String {
    format!(
        "# curl -K this file: calls with the demo community's key.\n\
         header = \"Authorization: Bearer {}\"\nheader = \"Content-Type: application/json\"\n\
         silent\nwrite-out = \"\\n\"\n",
        demo.api_key
    )
}

fn introduce(demo: &Demo, file: &Path, curl: &Path) -> Result<()> {
    let (base, curl) = (&demo.base_url, curl.display());
    say!("Guildhall is a community-engagement platform; this one holds a demo community.")?;
    say!("  REST         {base}   (reference: {base}/docs)")?;
    match &demo.identity_grpc_url {
        None => say!("  gRPC         {}", demo.grpc_url)?,
        Some(identity) => {
            say!(
                "  gRPC         {} (messaging), {identity} (identity)",
                demo.grpc_url
            )?;
        }
    }
    say!("  credentials  {}", file.display())?;
    say!("Send a message, reply to it, react to it:")?;
    let (channel, message) = (&demo.channels.general, &demo.message_id);
    for (action, body) in [
        (
            "send",
            format!(r#"{{"channelId":"{channel}","message":"Hello!","sender":"{OWNER}"}}"#),
        ),
        (
            "reply",
            format!(r#"{{"messageId":"{message}","message":"Hello back!","sender":"ada"}}"#),
        ),
        (
            "react",
            format!(r#"{{"messageId":"{message}","emoji":":tada:","sender":"grace"}}"#),
        ),
    ] {
        say!("  curl -K {curl} {base}/v1/messages/{action} -d '{body}'")?;
    }
    Ok(())
}
