//! A running platform with its demo community, and what a test says to it.

use guildhall_proto::messaging::v1::{
    GetMessageRequest, Message, MessageReference, message_reference::Reference,
    message_service_client::MessageServiceClient,
};
use guildhall_testkit::{
    Answer, Bootstrapped, Demo, Options, Rest, SharedPlatform, Stack,
    grpc::{Services, signed},
};
use serde_json::{Map, Value, json};

use crate::{
    Caller, Credential, Fingerprint, Keys, OPERATIONS, Operation, Parameters, guest,
    operation::Kind,
    outgoing::Outgoing,
    parameters::{Records, UNKNOWN},
};

/// A running platform with its demo community.
#[derive(Debug)]
pub struct Community {
    /// Its processes, in the shape that the tests run on.
    pub platform: Stack,
    /// The community's name.
    pub name: String,
    /// The community: its demo community, or the one of this test alone.
    pub demo: Demo,
    /// A client of its REST contract.
    pub rest: Rest,
    /// Connections to its services.
    pub services: Services,
    /// An outgoing webhook, where the test asked for it.
    pub outgoing: Option<Outgoing>,
    /// The records that operations make, where the test asked for them.
    pub records: Records,
}

impl Community {
    /// A community of this test's own on the platform that all tests share, or, when the test runs
    /// by itself, on a new one. It has no rate limit, and webhooks may call this machine.
    pub async fn start() -> Self {
        let Some(shared) = SharedPlatform::of_tests() else {
            return Self::start_with(Options::for_guests()).await;
        };
        let services = shared.services().await;
        let (name, demo) = guest::make(&shared, &services).await;
        Self {
            name,
            demo,
            rest: Rest::new(shared.http()),
            services,
            platform: Stack::Shared(Box::new(shared)),
            outgoing: None,
            records: Records::all(UNKNOWN),
        }
    }

    /// As [`start`](Self::start), with all the records that an operation of the contract can name,
    /// also those that the demo community lacks.
    pub async fn with_all_records() -> Self {
        let mut community = Self::start().await;
        community.make_records().await;
        let channel = community.demo.channel("announcements");
        let outgoing = Outgoing::make(community.integrator(), channel, "johndoe").await;
        community.outgoing = Some(outgoing);
        community
    }

    /// Makes a record in each collection of which an operation makes one.
    pub async fn make_records(&mut self) {
        let made = Records::make(&self.rest, self.parameters(), |kind| self.credential(kind));
        self.records = made.await;
    }

    /// Makes a good call of `operation`, after what earlier calls have started in the background.
    pub async fn call(&self, operation: &Operation, credential: &Credential) -> Answer {
        // A second redelivery is refused while the first is under way.
        self.deliveries_done().await;
        operation
            .make(&self.rest, &self.parameters(), credential)
            .await
    }

    /// Waits until no attempt of a delivery is under way.
    pub async fn deliveries_done(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.deliveries_done().await;
        }
    }

    /// A platform that this test alone may stop, kill or disturb, with a demo community and no rate
    /// limit.
    pub async fn alone() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A platform started with `options`.
    pub async fn start_with(options: Options) -> Self {
        Self::around(Stack::start_with(options).await).await
    }

    /// The community of a platform that runs already.
    pub async fn around(platform: impl Into<Stack>) -> Self {
        let platform = platform.into();
        Self {
            name: "Demo".to_owned(),
            demo: platform.demo(),
            rest: platform.rest(),
            services: platform.services().await,
            platform,
            outgoing: None,
            records: Records::all(UNKNOWN),
        }
    }

    /// The community's name in addresses.
    #[must_use]
    pub fn slug(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }

    /// The records of the demo community.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        let owner = &self.demo.users[0];
        let outgoing = self.outgoing.as_ref();
        Parameters {
            outgoing: outgoing.map_or(UNKNOWN, |made| &made.webhook).to_owned(),
            delivery: outgoing.map_or(UNKNOWN, |made| &made.delivery).to_owned(),
            channel: self.demo.channel("general").to_owned(),
            message: self.demo.message_id.clone(),
            sender: owner.username.clone(),
            email: owner.email.clone(),
            password: owner.password.clone(),
            url: self.demo.sendbird.channel_url.clone(),
            number: self.demo.sendbird.message_id,
            project: self.demo.mudbase.project_id.clone(),
            chat: self.demo.mudbase.chat_id.clone(),
            chat_message: self.demo.mudbase.message_id.clone(),
            records: self.records.clone(),
        }
    }

    /// A good credential of the demo community.
    #[must_use]
    pub fn credential(&self, kind: Kind) -> Credential {
        match kind {
            Kind::SystemKey => Credential::SystemKey(self.demo.system_api_key.clone()),
            Kind::CommunityKey => Credential::Bearer(self.demo.api_key.clone()),
            Kind::UserKey => Credential::Bearer(self.demo.user_api_key.clone()),
            Kind::Jwt => Credential::Bearer(self.demo.mudbase.jwt.clone()),
            Kind::SendbirdToken => Credential::SendbirdToken(self.demo.sendbird.api_token.clone()),
        }
    }

    /// Makes keys as the owner.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.keys_of("johndoe")
    }

    /// Makes keys as a member.
    #[must_use]
    pub fn keys_of(&self, username: &str) -> Keys {
        Keys::new(self.services.clone(), &self.demo.user(username).jwt)
    }

    /// Who holds the community key with every permission.
    #[must_use]
    pub fn integrator(&self) -> Caller {
        self.by(self.credential(Kind::CommunityKey))
    }

    /// Who holds the system key.
    #[must_use]
    pub fn system(&self) -> Caller {
        self.by(self.credential(Kind::SystemKey))
    }

    /// Who holds the Sendbird token.
    #[must_use]
    pub fn sendbird(&self) -> Caller {
        self.by(self.credential(Kind::SendbirdToken))
    }

    /// A logged-in member.
    #[must_use]
    pub fn member(&self, username: &str) -> Caller {
        self.bearer(&self.demo.user(username).jwt)
    }

    /// Who holds this key or JWT.
    #[must_use]
    pub fn bearer(&self, text: &str) -> Caller {
        self.by(Credential::Bearer(text.to_owned()))
    }

    /// Who holds this credential.
    #[must_use]
    pub fn by(&self, credential: Credential) -> Caller {
        Caller::new(&self.rest, credential)
    }

    /// The data of a `GET` with the community key.
    pub async fn data(&self, path: &str) -> Value {
        self.integrator().get(path).await.expect(200)["data"].take()
    }

    /// Sends a message; its id.
    pub async fn send(&self, channel: &str, sender: &str, text: &str) -> String {
        let body = json!({ "channelId": channel, "message": text, "sender": sender });
        let answer = self.integrator().post("/v1/messages/send", &body).await;
        id_of(&answer.expect(200)["data"]["messageId"])
    }

    /// The newest messages of a channel.
    pub async fn messages(&self, channel: &str) -> Vec<Value> {
        let path = format!("/v1/messages?channel_id={channel}&count=100");
        let data = self.data(&path).await;
        data["messages"].as_array().expect("a list").clone()
    }

    /// Makes a channel with the system key; its id.
    pub async fn channel(&self, body: &Value) -> String {
        make_channel(&self.system(), body).await
    }

    /// All that is kept of the community: a refused call must not change it.
    pub async fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self).await
    }

    /// The operations that read a body, each with a credential and the body that works.
    #[must_use]
    pub fn operations_with_body(
        &self,
    ) -> Vec<(&'static Operation, Credential, Map<String, Value>)> {
        let parameters = self.parameters();
        let bodies = OPERATIONS
            .iter()
            .filter_map(|operation: &'static Operation| {
                let body = operation.body?(&parameters);
                let credential = self.credential(operation.kinds[0]);
                Some((operation, credential, body.as_object()?.clone()))
            });
        bodies.collect()
    }

    /// A message as the services show it.
    pub async fn message(&self, id: &str) -> Message {
        message(&self.services, &self.demo.api_key, id).await
    }

    /// Makes another community with a channel and a message.
    pub async fn another(&self, name: &str) -> OtherCommunity {
        // Others on a shared platform have neighbours, too.
        let name = format!("{name}-{}", guest::unique());
        let email = format!("owner@{name}.example");
        let community = self.platform.bootstrap(&name, &email).await;
        // The platform may have closed this one's connections meanwhile.
        let rest = Rest::new(self.platform.http());
        OtherCommunity::fill(&rest, &self.services, community).await
    }
}

/// Another community on the same platform.
#[derive(Debug)]
pub struct OtherCommunity {
    /// Its credentials.
    pub community: Bootstrapped,
    /// Its records.
    pub parameters: Parameters,
    /// A JWT of its owner.
    pub jwt: String,
    outgoing: Option<Outgoing>,
}

impl OtherCommunity {
    async fn fill(rest: &Rest, services: &Services, community: Bootstrapped) -> Self {
        let system_key = Credential::SystemKey(community.system_api_key.clone());
        let system = Caller::new(rest, system_key);
        let integrator = Caller::new(rest, Credential::Bearer(community.api_key.clone()));
        let owner = community.owner.clone();
        let login = json!({ "email": owner.email, "password": owner.password });
        let login = system.post("/v1/auth/login", &login).await;
        let jwt = id_of(&login.expect(200)["body"]["token"]);
        let room = json!({ "topic": "Theirs", "channelType": "open" });
        let channel = make_channel(&system, &room).await;
        let hello = json!({ "channelId": channel, "message": "Theirs", "sender": owner.username });
        let sent = integrator.post("/v1/messages/send", &hello).await;
        let id = id_of(&sent.expect(200)["data"]["messageId"]);
        let number = message(services, &community.api_key, &id).await.number;
        let parameters = Parameters {
            outgoing: UNKNOWN.to_owned(),
            delivery: UNKNOWN.to_owned(),
            channel: channel.clone(),
            message: id.clone(),
            sender: owner.username,
            email: owner.email,
            password: owner.password,
            url: channel.clone(),
            number,
            project: community.community_id.clone(),
            chat: channel,
            chat_message: id,
            records: Records::all(UNKNOWN),
        };
        Self {
            community,
            parameters,
            jwt,
            outgoing: None,
        }
    }

    /// The same with all the records that an operation of the contract can name.
    #[must_use]
    pub async fn with_all_records(mut self, community: &Community) -> Self {
        let (rest, parameters) = (&community.rest, self.parameters.clone());
        let made = Records::make(rest, parameters, |kind| self.credential(kind)).await;
        self.parameters.records = made;
        let integrator = community.by(self.credential(Kind::CommunityKey));
        let outgoing = Outgoing::make(
            integrator,
            &self.parameters.channel,
            &self.parameters.sender,
        )
        .await;
        self.parameters.outgoing.clone_from(&outgoing.webhook);
        self.parameters.delivery.clone_from(&outgoing.delivery);
        self.outgoing = Some(outgoing);
        self
    }

    /// A good credential of theirs.
    #[must_use]
    pub fn credential(&self, kind: Kind) -> Credential {
        match kind {
            Kind::SystemKey => Credential::SystemKey(self.community.system_api_key.clone()),
            Kind::CommunityKey => Credential::Bearer(self.community.api_key.clone()),
            Kind::UserKey => Credential::Bearer(self.community.user_api_key.clone()),
            Kind::Jwt => Credential::Bearer(self.jwt.clone()),
            Kind::SendbirdToken => {
                Credential::SendbirdToken(self.community.sendbird_api_token.clone())
            }
        }
    }
}

fn id_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn make_channel(system: &Caller, body: &Value) -> String {
    let made = system.post("/v1/channels", body).await;
    id_of(&made.expect(200)["body"]["_id"])
}

async fn message(services: &Services, key: &str, id: &str) -> Message {
    let reference = Reference::Id(id.to_owned());
    let request = GetMessageRequest {
        message: Some(MessageReference {
            reference: Some(reference),
            ..Default::default()
        }),
    };
    let request = signed(request, &format!("Bearer {key}"));
    let answer = MessageServiceClient::new(services.clone())
        .get_message(request)
        .await;
    answer
        .expect("a message")
        .into_inner()
        .message
        .expect("a message")
}
