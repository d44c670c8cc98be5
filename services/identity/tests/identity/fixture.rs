use guildhall_auth::{
    AccessLayer, Authority, Caller, Credential, Guard, PeerTokens, RateLimit, RpcTable,
    credential::Scheme,
};
use guildhall_data::{PostgresServer, Storage};
use guildhall_identity::{Bootstrapped, Identity, NewCommunity, NewMember, User};
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{
        LoginRequest, LoginResponse, api_key_service_client::ApiKeyServiceClient,
        authentication_service_client::AuthenticationServiceClient,
        credential_service_client::CredentialServiceClient, login_request::Account,
        user_directory_service_client::UserDirectoryServiceClient,
    },
};
use guildhall_runtime::{Error, Peer, Reason, Result, Shutdown, around::around};
use guildhall_server::Rpcs;
use guildhall_service::Running as _;
use guildhall_signals::{KeyChanged, Signals, Subscription};
use guildhall_testkit::TestDatabase;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use tonic::{Request, metadata::MetadataValue};
use tower::Layer;

const SECRET: &[u8] = b"the platform's secret";

/// Identity behind its access layer, on a database of its own.
pub struct TestIdentity {
    pub home: TestDatabase,
    pub identity: Identity,
    pub signals: Signals,
    /// Calls as external callers make them.
    outside: Peer,
    /// Calls as other services make them.
    inside: Peer,
}

/// See [`TestIdentity::revoked_keys`].
pub struct RevokedKeys {
    pub received: std::sync::mpsc::Receiver<[u8; 32]>,
    _subscription: Subscription,
}

impl TestIdentity {
    pub async fn new() -> Self {
        Self::on(TestDatabase::new().await).await
    }

    pub async fn on(home: TestDatabase) -> Self {
        Self::with(home, Signals::default()).await
    }

    /// Identity as a process that sends and receives `signals`.
    pub async fn with(home: TestDatabase, signals: Signals) -> Self {
        let identity = open(&home, SECRET, signals.clone()).await.unwrap();
        let mut rpcs = Rpcs::default();
        identity.add_services(&mut rpcs);
        let tokens = PeerTokens::new(SECRET);
        let rules = RpcTable::load().unwrap();
        let access = AccessLayer::new(guard(&identity, &signals), rules, tokens.clone());
        let outside = Peer::in_process(around(access).layer(rpcs.routes().prepare()));
        Self {
            inside: tokens.sign_calls(outside.clone()),
            outside,
            home,
            identity,
            signals,
        }
    }

    /// Receives which keys change from now on, as every cache of them does.
    pub fn revoked_keys(&self) -> RevokedKeys {
        let (sender, received) = std::sync::mpsc::channel();
        let subscription = self.signals.subscribe(move |changed: &KeyChanged| {
            let _ = sender.send(changed.digest);
        });
        RevokedKeys {
            received,
            _subscription: subscription,
        }
    }

    /// Another process on the same database, under another secret.
    pub async fn open_with(&self, secret: &[u8]) -> Result<Identity> {
        open(&self.home, secret, Signals::default()).await
    }

    /// Another process on the same database.
    pub async fn open_again(&self) -> Identity {
        self.open_with(SECRET).await.unwrap()
    }

    pub async fn community(&self, name: &str) -> Bootstrapped {
        let owner_email = format!("owner@{}.example", name.to_lowercase().replace(' ', "-"));
        let new = NewCommunity {
            name: name.into(),
            owner_email,
        };
        self.identity.bootstrap(new).await.unwrap()
    }

    /// A member, and a JWT of theirs.
    pub async fn member(&self, home: &Bootstrapped, name: &str, role: Role) -> (User, String) {
        let new = member(name, role);
        let (user, password) = self
            .identity
            .add_member(home.community_id, new)
            .await
            .unwrap();
        let answer = self
            .login(&home.system_key, by_username(name, &password))
            .await
            .unwrap();
        (user, answer.token)
    }

    pub async fn login(&self, system_key: &str, request: LoginRequest) -> Result<LoginResponse> {
        self.login_as(signed(request, Scheme::SystemKey, system_key))
            .await
    }

    pub async fn login_as(&self, request: Request<LoginRequest>) -> Result<LoginResponse> {
        Ok(self.authentication().login(request).await?.into_inner())
    }

    /// The caller of a credential, looked up without a cache.
    pub async fn caller(&self, scheme: Scheme, secret: &str) -> Result<Caller> {
        let guard = guard(&self.identity, &self.signals);
        guard.authenticate(&Credential::new(scheme, secret)).await
    }

    pub async fn authority(&self, scheme: Scheme, secret: &str) -> Authority {
        self.caller(scheme, secret).await.unwrap().authority
    }

    pub async fn is_refused(&self, scheme: Scheme, secret: &str) -> bool {
        let refused = self
            .caller(scheme, secret)
            .await
            .err()
            .map(|error| error.reason());
        refused == Some(Reason::CredentialInvalid)
    }

    /// Changes the database directly, as time and later features do.
    pub async fn sql(&self, statement: &str) -> Result<u64, DbErr> {
        let done = self.database().await?.execute_unprepared(statement).await?;
        Ok(done.rows_affected())
    }

    /// Rows that `source` (`table WHERE …`) has.
    pub async fn count(&self, source: &str) -> i64 {
        let database = self.database().await.unwrap();
        let statement = format!("SELECT COUNT(*) FROM {source}");
        let statement = Statement::from_string(database.get_database_backend(), statement);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    async fn database(&self) -> Result<DatabaseConnection, DbErr> {
        let url = self.home.open(
            |directory| format!("sqlite://{}", directory.join("identity.db").display()),
            |url| format!("{url}_identity"),
        );
        sea_orm::Database::connect(url).await
    }

    pub fn authentication(&self) -> AuthenticationServiceClient<Peer> {
        AuthenticationServiceClient::new(self.outside.clone())
    }

    /// Logs in through a gateway, which knows the client's address.
    pub fn authentication_by_gateway(&self) -> AuthenticationServiceClient<Peer> {
        AuthenticationServiceClient::new(self.inside.clone())
    }

    pub fn api_keys(&self) -> ApiKeyServiceClient<Peer> {
        ApiKeyServiceClient::new(self.outside.clone())
    }

    pub fn directory(&self) -> UserDirectoryServiceClient<Peer> {
        UserDirectoryServiceClient::new(self.inside.clone())
    }

    pub fn directory_from_outside(&self) -> UserDirectoryServiceClient<Peer> {
        UserDirectoryServiceClient::new(self.outside.clone())
    }

    pub fn credentials(&self) -> CredentialServiceClient<Peer> {
        CredentialServiceClient::new(self.inside.clone())
    }
}

async fn open(home: &TestDatabase, secret: &[u8], signals: Signals) -> Result<Identity> {
    let storage = home.open(Storage::files, |url| {
        Storage::Postgres(PostgresServer::parse(url).unwrap())
    });
    Identity::open(&storage, secret, signals, &Shutdown::default()).await
}

fn guard(identity: &Identity, signals: &Signals) -> Guard {
    Guard::new(
        identity.credential_source(),
        RateLimit::per_second(0),
        signals,
    )
}

pub fn member(name: &str, role: Role) -> NewMember {
    NewMember {
        username: name.into(),
        email: format!("{name}@example.com"),
        display_name: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        role,
        password: None,
    }
}

pub fn by_username(name: &str, password: &str) -> LoginRequest {
    LoginRequest {
        account: Some(Account::Username(name.into())),
        password: password.into(),
    }
}

pub fn by_email(email: &str, password: &str) -> LoginRequest {
    LoginRequest {
        account: Some(Account::Email(email.into())),
        password: password.into(),
    }
}

pub fn signed<T>(message: T, scheme: Scheme, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    let credential = Credential::new(scheme, secret).to_metadata();
    let value = MetadataValue::try_from(credential.as_bytes()).unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

pub fn with_key<T>(mut request: Request<T>, idempotency_key: &'static str) -> Request<T> {
    let value = MetadataValue::from_static(idempotency_key);
    request.metadata_mut().insert("idempotency-key", value);
    request
}

pub fn reason<T: std::fmt::Debug>(answer: Result<T, impl Into<Error>>) -> Reason {
    answer.map_err(Into::into).unwrap_err().reason()
}

pub fn digest(secret: &str) -> [u8; 32] {
    guildhall_auth::credential::digest_of(secret)
}
