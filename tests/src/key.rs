//! Keys of the test's own making, through the services as everybody may call them.

use std::time::SystemTime;

use guildhall_proto::identity::v1::{
    ApiKey, ApiKeySpec, CreateCommunityApiKeyRequest, CreateUserApiKeyRequest, DeleteApiKeyRequest,
    api_key_service_client::ApiKeyServiceClient,
};
use guildhall_testkit::{
    grpc::{Services, signed},
    secret,
};

/// Makes and revokes keys as one logged-in member.
#[derive(Debug, Clone)]
pub struct Keys {
    service: ApiKeyServiceClient<Services>,
    jwt: String,
}

/// A key that a test made.
#[derive(Debug, Clone)]
pub struct MadeKey {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
}

impl MadeKey {
    fn new(record: Option<ApiKey>, text: String) -> Self {
        secret::learn(secret::Kind::Credential, &text);
        Self {
            id: record.expect("its record").id,
            text,
        }
    }
}

/// What a key shall be; the name is made up.
#[must_use]
pub fn spec(permissions: &[&str]) -> ApiKeySpec {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    ApiKeySpec {
        name: format!("key {}", NEXT.fetch_add(1, Ordering::Relaxed)),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

impl Keys {
    /// As the member with this JWT.
    #[must_use]
    pub fn new(services: Services, jwt: &str) -> Self {
        Self {
            service: ApiKeyServiceClient::new(services),
            jwt: jwt.to_owned(),
        }
    }

    /// A community key; the member must be an admin.
    pub async fn community(&self, spec: ApiKeySpec) -> MadeKey {
        let request = CreateCommunityApiKeyRequest { spec: Some(spec) };
        let request = signed(request, &format!("Bearer {}", self.jwt));
        let answer = self.service.clone().create_community_api_key(request).await;
        let answer = answer.expect("a community key").into_inner();
        MadeKey::new(answer.api_key, answer.key)
    }

    /// A user key of the member.
    pub async fn user(&self, spec: ApiKeySpec) -> MadeKey {
        let request = CreateUserApiKeyRequest { spec: Some(spec) };
        let request = signed(request, &format!("Bearer {}", self.jwt));
        let answer = self.service.clone().create_user_api_key(request).await;
        let answer = answer.expect("a user key").into_inner();
        MadeKey::new(answer.api_key, answer.key)
    }

    /// Revokes a key.
    pub async fn revoke(&self, key: &MadeKey) {
        let request = DeleteApiKeyRequest { id: key.id.clone() };
        let request = signed(request, &format!("Bearer {}", self.jwt));
        let answer = self.service.clone().delete_api_key(request).await;
        answer.expect("a revoked key");
    }
}

/// The end of a key's life, for its spec.
#[must_use]
pub fn expiring_at(mut spec: ApiKeySpec, moment: SystemTime) -> ApiKeySpec {
    spec.expire_time = Some(moment.into());
    spec
}
