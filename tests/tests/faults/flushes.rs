//! Kill −9 leaves what the system still has in memory, so it proves no flush: here they are
//! counted, and a server that would leave them out is refused.

use futures::future::join_all;
use guildhall_catalog::{IDENTITY, MESSAGING};
use guildhall_proto::messaging::v1::{
    SendMessageRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Cluster, Plan, grpc};
use sqlx::PgPool;
use tonic::transport::Channel;

/// Messages that wait for each other.
const ALONE: i64 = 200;
const WRITERS: i64 = 64;
/// Messages of each writer.
const EACH: i64 = 20;
/// Messages that a commit carries at most.
const BATCH: i64 = 512;

/// Who sends to `general`.
#[derive(Clone)]
struct Sender {
    messages: MessageServiceClient<Channel>,
    channel: String,
    key: String,
}

impl Sender {
    async fn send(&mut self, count: i64) {
        for _ in 0..count {
            let request = SendMessageRequest {
                channel: self.channel.clone(),
                sender: "ada".into(),
                text: "To the disk".into(),
                ..Default::default()
            };
            let request = grpc::signed(request, &format!("Bearer {}", self.key));
            self.messages.send_message(request).await.unwrap();
        }
    }
}

/// A cluster in which nobody flushes for others, on any system.
async fn cluster() -> Cluster {
    let settings = ["wal_writer_delay=10s", "wal_sync_method=fdatasync"];
    let plan = Plan {
        settings: settings.map(str::to_owned).into(),
        ..Plan::default()
    };
    Cluster::start_with(plan).await
}

/// Flushes of the write-ahead log from a start of messaging to its stop, with `work` in between.
async fn flushes(cluster: &mut Cluster, work: impl AsyncFnOnce(Sender)) -> i64 {
    let before = flushes_so_far(cluster).await;
    cluster[MESSAGING][0].start().await;
    let demo = cluster.demo();
    let sender = Sender {
        messages: MessageServiceClient::new(grpc::connect(cluster.messaging_url()).await),
        channel: demo.channel("general").to_owned(),
        key: demo.api_key,
    };
    work(sender).await;
    cluster[MESSAGING][0].stop().await;
    flushes_so_far(cluster).await - before
}

/// A session may keep its figures to itself until it ends: messaging must have stopped.
async fn flushes_so_far(cluster: &Cluster) -> i64 {
    let pool = cluster.database("messaging");
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'guildhall-messaging'";
    while number(&pool, sessions).await > 0 {
        tokio::task::yield_now().await;
    }
    let version = "SELECT current_setting('server_version_num')::bigint";
    let flushes = if number(&pool, version).await >= 180_000 {
        "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
    } else {
        "SELECT wal_sync FROM pg_stat_wal"
    };
    number(&pool, flushes).await
}

async fn number(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn each_message_alone_is_flushed_and_many_at_once_share_it() {
    let mut cluster = cluster().await;
    cluster[MESSAGING][0].stop().await;
    let idle = flushes(&mut cluster, async |_| {}).await;
    let alone = flushes(&mut cluster, async |mut sender| sender.send(ALONE).await).await;
    let crowd = flushes(&mut cluster, async |sender| {
        let writers = (0..WRITERS).map(|_| {
            let mut sender = sender.clone();
            async move { sender.send(EACH).await }
        });
        join_all(writers).await;
    })
    .await;
    let crowded = WRITERS * EACH;
    println!(
        "flushes of {}: {idle} without a message, {alone} of {ALONE} messages one after the \
         other, {crowd} of {crowded} messages of {WRITERS} writers at once",
        cluster.postgres.version()
    );
    assert!(idle < ALONE / 4, "{idle} without a message");
    assert!(alone >= ALONE, "{alone} of {ALONE} messages alone");
    assert!(crowd < crowded, "{crowd} of {crowded} messages at once");
    assert!(crowd >= crowded / BATCH, "{crowd} of {crowded}");
}

#[tokio::test]
async fn a_server_that_is_weakened_meanwhile_flushes_for_us_all_the_same() {
    let mut cluster = cluster().await;
    let pool = cluster.database("messaging");
    cluster[MESSAGING][0].stop().await;
    let weakened = flushes(&mut cluster, async |mut sender| {
        let weaken = "ALTER SYSTEM SET synchronous_commit = off";
        change(&pool, weaken, "off").await;
        sender.send(ALONE).await;
        let mend = "ALTER SYSTEM RESET synchronous_commit";
        change(&pool, mend, "on").await;
    })
    .await;
    println!("flushes of a server weakened meanwhile: {weakened} of {ALONE} messages");
    assert!(weakened >= ALONE, "{weakened} of {ALONE} messages");
}

/// Changes `synchronous_commit` of the running server for sessions that have not chosen it.
async fn change(pool: &PgPool, statement: &'static str, to: &str) {
    for statement in [statement, "SELECT pg_reload_conf()"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    // All sessions are told at the same moment; this one has not chosen.
    let shown = "SELECT current_setting('synchronous_commit')";
    let shown = async || sqlx::query_scalar(shown).fetch_one(pool).await.unwrap();
    while String::as_str(&shown().await) != to {
        tokio::task::yield_now().await;
    }
}

/// What a process says that must not start.
async fn refusal(service: &mut guildhall_testkit::Service) -> String {
    if service.is_running() {
        service.stop().await;
    }
    service.try_start().await.expect_err("a refusal")
}

#[tokio::test]
async fn a_server_that_would_not_flush_is_refused() {
    let plan = Plan {
        demo: false,
        ..Plan::default()
    };
    let mut cluster = Cluster::start_with(plan).await;
    let url = cluster.postgres.url("guildhall");
    let password = url.split([':', '@']).nth(2).unwrap().to_owned();

    let pool = cluster.database("messaging");
    let weaken = "ALTER DATABASE guildhall_messaging SET synchronous_commit = off";
    sqlx::query(weaken).execute(&pool).await.unwrap();
    let told = refusal(&mut cluster[MESSAGING][0]).await;
    assert!(told.contains("synchronous_commit is off"), "{told}");
    let mend = "ALTER DATABASE guildhall_messaging RESET synchronous_commit";
    sqlx::query(mend).execute(&pool).await.unwrap();
    cluster[MESSAGING][0].start().await;

    for setting in ["fsync", "full_page_writes"] {
        cluster.postgres.stop().await;
        cluster.postgres.set(&[&format!("{setting}=off")]);
        cluster.postgres.start_again().await;
        for service in [IDENTITY, MESSAGING] {
            let told = refusal(&mut cluster[service][0]).await;
            assert!(told.contains(&format!("{setting} is off")), "{told}");
            assert!(!told.contains(&password), "the password is in the log");
        }
    }
    cluster.postgres.stop().await;
    cluster.postgres.set(&[]);
    cluster.postgres.start_again().await;
    cluster[IDENTITY][0].start().await;
    cluster[MESSAGING][0].start().await;
}
