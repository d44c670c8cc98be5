//! Repeatable writes behind the real access layer, on a real database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use guildhall_auth::{
    AccessLayer, CredentialKind, Guard, PeerTokens, Permission, RateLimit, RpcTable,
    source::CredentialSource,
};
use guildhall_data::{
    CommunityId, Database, Storage, UserId,
    idempotency::{Answer, migration::CreateIdempotencyKeys},
};
use guildhall_proto::{
    identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey},
    webhooks::v1::{CreateWorkflowRequest, CreateWorkflowResponse},
};
use guildhall_runtime::{Error, Reason, Result, Shutdown, around::around};
use guildhall_signals::Signals;
use guildhall_writes::{Finished, Write, Writes};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio::sync::Notify;
use tonic::{Request, Response, Status, body::Body};
use tower::{Layer, Service, ServiceExt, service_fn};

/// How long a step of a test may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const KEYED: &str = "/guildhall.webhooks.v1.WorkflowService/CreateWorkflow";
const REPEATABLE: &str = "/guildhall.webhooks.v1.WorkflowService/DeleteWorkflow";

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateIdempotencyKeys)]
    }
}

/// Takes every key for one of the community's that may manage webhooks.
struct AnyKey;

#[async_trait]
impl CredentialSource for AnyKey {
    async fn key(&self, _: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        let id = "c".repeat(24);
        Ok(Some(ResolveKeyResponse {
            key_id: id.clone(),
            kind: CredentialKind::CommunityKey.into(),
            permissions: vec![Permission::Webhooks.into()],
            community_id: id.clone(),
            user_id: id,
            ..ResolveKeyResponse::default()
        }))
    }

    async fn session(&self, _: CommunityId, _: UserId) -> Result<Option<ResolveSessionResponse>> {
        Ok(None)
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        Ok(Vec::new())
    }
}

struct World {
    writes: Writes,
    access: AccessLayer,
    done: AtomicUsize,
    /// Held up until it is notified, when the name is `slow`.
    go_on: Notify,
    begun: Notify,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::files(directory.path());
        let database = Database::open::<Migrator>(&storage, "test").await.unwrap();
        let guard = Guard::new(
            Arc::new(AnyKey),
            RateLimit::per_second(0),
            &Signals::default(),
        );
        let tokens = PeerTokens::new(b"the platform's secret");
        Arc::new(Self {
            writes: Writes::open(&database, &Shutdown::default()),
            access: AccessLayer::new(guard, RpcTable::load().unwrap(), tokens),
            done: AtomicUsize::new(0),
            go_on: Notify::new(),
            begun: Notify::new(),
            _directory: directory,
        })
    }

    async fn write(
        &self,
        write: Write,
        request: CreateWorkflowRequest,
    ) -> Result<Finished<CreateWorkflowResponse>> {
        if request.name.is_empty() {
            return Err(Error::missing("name"));
        }
        if request.name == "slow" {
            self.begun.notify_one();
            self.go_on.notified().await;
        }
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let transaction = write.begin().await?;
        let api_key = format!("{} {number}", request.name);
        let answer = CreateWorkflowResponse {
            api_key,
            ..CreateWorkflowResponse::default()
        };
        write.finish(transaction, answer).await
    }

    /// Calls an RPC that creates something; its answer, and whether it was the first one again.
    async fn call(
        self: &Arc<Self>,
        path: &str,
        key: Option<&str>,
        name: &str,
    ) -> Result<(String, bool)> {
        let world = Arc::clone(self);
        let name = name.to_owned();
        let service = service_fn(move |request: http::Request<Body>| {
            let (world, name) = (Arc::clone(&world), name.clone());
            async move { Ok::<_, Infallible>(world.answer(request, name).await) }
        });
        let mut request =
            http::Request::post(path).header("authorization", format!("Bearer {}", "a".repeat(64)));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::empty()).unwrap();
        let mut service = around(self.access.clone()).layer(service);
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != tonic::Code::Ok => Err(status.into()),
            _ => {
                let answer = response.headers()["answer"].to_str().unwrap();
                let replayed = response.headers().contains_key("idempotent-replayed");
                Ok((answer.to_owned(), replayed))
            }
        }
    }

    /// What tonic does around a handler.
    async fn answer(
        self: &Arc<Self>,
        request: http::Request<Body>,
        name: String,
    ) -> http::Response<Body> {
        let message = CreateWorkflowRequest { name };
        let (parts, _) = request.into_parts();
        let metadata = tonic::metadata::MetadataMap::from_headers(parts.headers);
        let request = Request::from_parts(metadata, parts.extensions, message);
        let answered = self.writes.run(request, Answer::Secret, |write, request| {
            self.write(write, request)
        });
        let answered: Result<Response<CreateWorkflowResponse>> = answered.await;
        match answered {
            Ok(response) => {
                let (metadata, message, _) = response.into_parts();
                let mut response = http::Response::new(Body::empty());
                *response.headers_mut() = metadata.into_headers();
                let answer = message.api_key.parse().unwrap();
                response.headers_mut().insert("answer", answer);
                response
            }
            Err(error) => Status::from(error).into_http(),
        }
    }
}

fn reason<T: std::fmt::Debug>(refused: Result<T>) -> Reason {
    refused.unwrap_err().reason()
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_was_and_writes_nothing() {
    let world = World::new().await;
    let first = world.call(KEYED, Some("k"), "ada").await.unwrap();
    assert_eq!(first, ("ada 1".into(), false));
    let again = world.call(KEYED, Some("k"), "ada").await.unwrap();
    assert_eq!(again, ("ada 1".into(), true));
    let other = world.call(KEYED, Some("other"), "ada").await.unwrap();
    assert_eq!(other, ("ada 2".into(), false));
    let mismatch = world.call(KEYED, Some("k"), "bob").await;
    assert_eq!(reason(mismatch), Reason::IdempotencyMismatch);
    for number in [3, 4] {
        let unkeyed = world.call(KEYED, None, "ada").await.unwrap();
        assert_eq!(unkeyed, (format!("ada {number}"), false));
    }
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_under_its_key() {
    let world = World::new().await;
    let refused = world.call(KEYED, Some("k"), "").await;
    assert_eq!(reason(refused), Reason::MissingField);
    let first = world.call(KEYED, Some("k"), "ada").await.unwrap();
    assert_eq!(first, ("ada 1".into(), false));
}

#[tokio::test]
async fn a_repeat_that_overtakes_the_first_is_told_to_wait() {
    let world = World::new().await;
    let slow = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.call(KEYED, Some("k"), "slow").await })
    };
    let begun = tokio::time::timeout(TIMEOUT, world.begun.notified());
    begun.await.expect("the first call writes");
    let early = world.call(KEYED, Some("k"), "slow").await;
    assert_eq!(reason(early), Reason::IdempotencyInFlight);
    world.go_on.notify_one();
    assert_eq!(slow.await.unwrap().unwrap(), ("slow 1".into(), false));
    let late = world.call(KEYED, Some("k"), "slow").await.unwrap();
    assert_eq!(late, ("slow 1".into(), true));
}

#[tokio::test]
async fn an_rpc_that_is_not_keyed_cannot_claim_a_key() {
    let world = World::new().await;
    for key in [Some("k"), None] {
        let refused = world.call(REPEATABLE, key, "ada").await;
        assert_eq!(reason(refused), Reason::Internal);
    }
    assert_eq!(world.done.load(Ordering::Relaxed), 0);
}
