//! A community of a test's own on a platform that it shares with others: made as an operator makes
//! one (`guildhall bootstrap`), and furnished as `--demo` does, through the services.

use std::{
    collections::HashMap,
    fs, process,
    sync::atomic::{AtomicU32, Ordering},
};

use guildhall_data::{PostgresServer, Storage};
use guildhall_identity::{Bootstrapped, Identity, NewCommunity, NewMember, User};
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{
        LoginRequest, authentication_service_client::AuthenticationServiceClient,
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
use guildhall_runtime::Shutdown;
use guildhall_signals::Signals;
use guildhall_testkit::{
    Demo, SharedPlatform,
    demo::{self, IncomingWebhook, Mudbase, Sendbird},
    grpc::{Services, signed},
    secret,
};

const OWNER: &str = "johndoe";
/// Username, given and family name, role.
const MEMBERS: [(&str, &str, &str, Role); 2] = [
    ("ada", "Ada", "Lovelace", Role::Admin),
    ("grace", "Grace", "Hopper", Role::Member),
];
/// The address of the direct-message channel in the Sendbird facade.
const GROUP_CHANNEL: &str = "demo-group";

/// A word that no other test on this machine gets, for names of communities.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a community on `platform`; its name, and what `demo.json` would say of it.
pub(crate) async fn make(platform: &SharedPlatform, services: &Services) -> (String, Demo) {
    let name = format!("Demo {}", unique());
    let (made, users) = people(platform, &name).await;
    let guest = Guest { services, made };
    let demo = guest.fill(platform, users).await;
    (name, demo)
}

/// The community, its owner and its members, with their passwords.
async fn people(platform: &SharedPlatform, name: &str) -> (Bootstrapped, Vec<demo::User>) {
    let storage = match platform.database_url() {
        Some(url) => Storage::Postgres(PostgresServer::parse(url).expect("a database URL")),
        None => Storage::files(platform.data_dir()),
    };
    let key = fs::read_to_string(platform.secret_key()).expect("the platform's secret");
    let key = hex::decode(key.trim()).expect("hexadecimal characters");
    let shutdown = Shutdown::default();
    let storage = storage.on_demand();
    let identity = Identity::open(&storage, &key, Signals::default(), &shutdown).await;
    let identity = identity.expect("identity's database");
    let new = NewCommunity {
        name: name.to_owned(),
        owner_email: format!("{OWNER}@example.com"),
    };
    let made = identity.bootstrap(new).await.expect("a new community");
    let mut users = vec![user(&made.owner, &made.owner_password)];
    // One after the other: they are numbered in this order.
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
        let added = identity.add_member(made.community_id, member).await;
        let (member, password) = added.expect("a new member");
        users.push(user(&member, &password));
    }
    // Nothing of it sweeps or listens once the community is there.
    shutdown.start();
    (made, users)
}

fn user(user: &User, password: &str) -> demo::User {
    secret::learn(secret::Kind::Password, password);
    demo::User {
        _id: user.id.clone(),
        id: user.number,
        username: user.username.clone(),
        email: user.email.clone(),
        password: password.to_owned(),
        jwt: String::new(),
    }
}

/// A new community, and where the services are that know it.
struct Guest<'a> {
    services: &'a Services,
    made: Bootstrapped,
}

impl Guest<'_> {
    /// Channels, a topic, the first messages, a webhook, and everybody's JWT.
    async fn fill(&self, platform: &SharedPlatform, mut users: Vec<demo::User>) -> Demo {
        for key in [
            &self.made.system_key,
            &self.made.api_key,
            &self.made.user_api_key,
            &self.made.sendbird_token,
        ] {
            secret::learn(secret::Kind::Credential, key);
        }
        let participants = users.iter().map(|user| user.username.clone()).collect();
        let logins = users.iter().map(|user| self.login(user));
        let (jwts, dm, general, forum, announcements) = tokio::join!(
            futures::future::join_all(logins),
            self.group_channel(participants),
            self.channel("General", ChannelType::Open),
            self.channel("Forum", ChannelType::Forum),
            self.channel("Announcements", ChannelType::Announcement),
        );
        // One after the other, so that the numbers of messages rise as they do in the demo.
        let first = self.message(&dm, "Welcome, team").await;
        let welcome = self.message(&general, "Welcome to Guildhall").await;
        let (forum_topic_id, incoming_webhook) =
            tokio::join!(self.topic(&forum), self.incoming_webhook(&general));
        for (user, jwt) in users.iter_mut().zip(jwts) {
            secret::learn(secret::Kind::Credential, &jwt);
            user.jwt = jwt;
        }
        let identity = platform.identity();
        Demo {
            base_url: platform.http().to_owned(),
            grpc_url: platform.grpc().to_owned(),
            identity_grpc_url: (identity != platform.grpc()).then(|| identity.to_owned()),
            community_id: self.made.community_id.to_string(),
            system_api_key: self.made.system_key.to_string(),
            api_key: self.made.api_key.to_string(),
            user_api_key: self.made.user_api_key.to_string(),
            sendbird: Sendbird {
                api_token: self.made.sendbird_token.to_string(),
                channel_url: GROUP_CHANNEL.into(),
                user_id: OWNER.into(),
                message_id: first.number,
            },
            mudbase: Mudbase {
                project_id: self.made.community_id.to_string(),
                jwt: users[0].jwt.clone(),
                chat_id: dm.clone(),
                message_id: first.id,
            },
            channels: HashMap::from([
                ("general".to_owned(), general),
                ("forum".to_owned(), forum),
                ("announcements".to_owned(), announcements),
                ("dm".to_owned(), dm),
            ]),
            forum_topic_id,
            message_id: welcome.id,
            incoming_webhook,
            users,
        }
    }

    fn by_key(&self) -> String {
        format!("Bearer {}", *self.made.api_key)
    }

    async fn channel(&self, topic: &str, r#type: ChannelType) -> String {
        let request = CreateChannelRequest {
            topic: topic.into(),
            r#type: r#type.into(),
            ..Default::default()
        };
        let by = format!("SystemKey {}", *self.made.system_key);
        self.create_channel(request, &by).await
    }

    async fn group_channel(&self, participants: Vec<String>) -> String {
        let request = CreateChannelRequest {
            topic: "Team".into(),
            r#type: ChannelType::Dm.into(),
            participants,
            url: GROUP_CHANNEL.into(),
            ..Default::default()
        };
        let by = format!("SendbirdToken {}", *self.made.sendbird_token);
        self.create_channel(request, &by).await
    }

    async fn create_channel(&self, request: CreateChannelRequest, by: &str) -> String {
        let mut channels = ChannelServiceClient::new(self.services.clone());
        let made = channels.create_channel(signed(request, by)).await;
        let made = made.expect("a new channel").into_inner();
        made.channel.expect("a channel").id
    }

    async fn message(&self, channel: &str, text: &str) -> Message {
        let request = SendMessageRequest {
            channel: channel.into(),
            sender: OWNER.into(),
            text: text.into(),
            ..Default::default()
        };
        let mut messages = MessageServiceClient::new(self.services.clone());
        let sent = messages.send_message(signed(request, &self.by_key())).await;
        let sent = sent.expect("a sent message").into_inner();
        sent.message.expect("a message")
    }

    async fn topic(&self, forum: &str) -> String {
        let request = CreateTopicRequest {
            channel_id: forum.into(),
            title: "First steps".into(),
            sender: OWNER.into(),
            ..Default::default()
        };
        let mut topics = TopicServiceClient::new(self.services.clone());
        let made = topics.create_topic(signed(request, &self.by_key())).await;
        let made = made.expect("a new topic").into_inner();
        made.topic.expect("a topic").id
    }

    async fn incoming_webhook(&self, channel: &str) -> IncomingWebhook {
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
        let request = CreateIncomingWebhookRequest { spec: Some(spec) };
        let mut webhooks = IncomingWebhookServiceClient::new(self.services.clone());
        let request = signed(request, &self.by_key());
        let made = webhooks.create_incoming_webhook(request).await;
        let made = made.expect("a new webhook").into_inner();
        let webhook = made.webhook.expect("a webhook");
        secret::learn(secret::Kind::Credential, &webhook.address);
        secret::learn(secret::Kind::Credential, &made.api_key);
        IncomingWebhook {
            _id: webhook.id,
            path: format!("/v1/webhooks/incoming/{}", webhook.address),
            api_key: made.api_key,
        }
    }

    async fn login(&self, user: &demo::User) -> String {
        let request = LoginRequest {
            account: Some(Account::Email(user.email.clone())),
            password: user.password.clone(),
        };
        let by = format!("SystemKey {}", *self.made.system_key);
        let mut logins = AuthenticationServiceClient::new(self.services.clone());
        let answer = logins.login(signed(request, &by)).await;
        answer.expect("a login").into_inner().token
    }
}
