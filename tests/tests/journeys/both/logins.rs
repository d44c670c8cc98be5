//! Who guesses passwords is slowed down, over REST and over gRPC alike, by where they really are.

use std::net::IpAddr;

use guildhall_auth::peer::CLIENT_ADDRESS;
use guildhall_proto::identity::v1::{
    LoginRequest, authentication_service_client::AuthenticationServiceClient,
    login_request::Account,
};
use guildhall_testkit::{
    Rest,
    grpc::{connect_from, signed},
};
use guildhall_tests::Community;
use serde_json::json;
use tonic::Code;

/// Somebody with the system key at an address of this machine.
struct Client {
    rest: Rest,
    logins: AuthenticationServiceClient<tonic::transport::Channel>,
    system_key: String,
    email: String,
}

impl Client {
    async fn at(address: &str, community: &Community) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let identity = community.demo.identity_grpc_url.as_ref();
        let identity = identity.unwrap_or(&community.demo.grpc_url);
        Self {
            rest: Rest::from_address(community.platform.http(), address),
            logins: AuthenticationServiceClient::new(connect_from(identity, address).await),
            system_key: community.demo.system_api_key.clone(),
            email: community.demo.user("grace").email.clone(),
        }
    }

    /// The status of a login over REST.
    async fn rest(&self, password: &str) -> u16 {
        let body = json!({ "email": self.email, "password": password });
        let login = self
            .rest
            .post("/v1/auth/login")
            .system_key(&self.system_key);
        let answer = login.json(&body).send().await;
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(wait > 600 && wait <= 900, "{wait}");
        }
        answer.status
    }

    /// The code of a login over gRPC, in which the client says that it is somewhere else.
    async fn grpc(&self, password: &str) -> Code {
        let request = LoginRequest {
            account: Some(Account::Email(self.email.clone())),
            password: password.to_owned(),
        };
        let mut request = signed(request, &format!("SystemKey {}", self.system_key));
        let pretended = "192.0.2.1".parse().unwrap();
        request.metadata_mut().insert(CLIENT_ADDRESS, pretended);
        let answer = self.logins.clone().login(request).await;
        answer.err().map_or(Code::Ok, |status| status.code())
    }
}

#[tokio::test]
async fn wrong_passwords_are_counted_by_the_address_of_the_client() {
    let community = Community::start().await;
    let password = &community.demo.user("grace").password;
    let guesser = Client::at("127.0.0.2", &community).await;
    for n in 0..10 {
        let guess = format!("guess {n}");
        assert_eq!(guesser.rest(&guess).await, 401);
        assert_eq!(guesser.grpc(&guess).await, Code::Unauthenticated);
    }
    assert_eq!(guesser.rest(password).await, 429);
    assert_eq!(guesser.grpc(password).await, Code::ResourceExhausted);

    let grace = Client::at("127.0.0.3", &community).await;
    assert_eq!(grace.grpc(password).await, Code::Ok);
    assert_eq!(grace.rest(password).await, 200);
}

#[tokio::test]
async fn a_guess_under_the_idempotency_key_of_a_login_counts() {
    let community = Community::start().await;
    let user = community.demo.user("grace");
    let status = async |password: &str| {
        let body = json!({ "email": user.email, "password": password });
        let login = community.rest.post("/v1/auth/login");
        let login = login.system_key(&community.demo.system_api_key);
        let login = login.idempotency_key("once").json(&body);
        login.send().await.status
    };
    assert_eq!(status(&user.password).await, 200);
    for n in 0..20 {
        assert_eq!(status(&format!("guess {n}")).await, 409);
    }
    assert_eq!(status("one more").await, 429);
    assert_eq!(status(&user.password).await, 429);
}
