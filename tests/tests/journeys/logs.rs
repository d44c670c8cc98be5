//! What the log says of a request: who it was for, and what failed, once.

use guildhall_catalog::MESSAGING;
use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Answer, Cluster, Mode, Options, Plan, Platform, Rest, Stack, grpc};
use guildhall_tests::{
    Community,
    lines::{self, Line},
};
use serde_json::json;
use tonic::Code;

/// Every failure and every refusal has a line.
const ALL: &str = "info,guildhall_runtime=debug,guildhall_gateway=debug";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn cluster(plan: Plan) -> Community {
    Community::around(Cluster::start_with(plan).await).await
}

fn at_debug() -> Plan {
    Plan {
        args: vec!["--log".into(), ALL.into()],
        ..Plan::default()
    }
}

/// Sends a message that the caller calls `id`.
async fn send(community: &Community, id: &str, channel: &str) -> Answer {
    let body = json!({
        "channelId": channel,
        "message": format!("What was written, {id}"),
        "sender": community.demo.users[0].username,
    });
    let call = Rest::new(&community.demo.base_url).post("/v1/messages/send");
    let call = call.bearer(&community.demo.api_key).json(&body);
    call.header("x-request-id", id).send().await
}

fn lines_of(community: &Community, id: &str) -> Vec<Line> {
    let lines = match &community.platform {
        Stack::Embedded(platform) => lines::of_platform(platform),
        Stack::Cluster(cluster) => lines::of_cluster(cluster),
        Stack::Shared(_) => panic!("others write to its log, too"),
    };
    lines::of_request(lines, id)
}

fn general(community: &Community) -> &str {
    community.demo.channel("general")
}

/// The one line that a failed request left in all logs.
fn only_trouble(community: &Community, id: &str) -> Line {
    let mut troubles = lines_of(community, id);
    troubles.retain(Line::is_trouble);
    match &troubles[..] {
        [line] => line.clone(),
        _ => panic!("{} lines of trouble: {troubles:#?}", troubles.len()),
    }
}

fn messaging_of(community: &Community) -> &Cluster {
    match &community.platform {
        Stack::Cluster(cluster) => cluster,
        Stack::Embedded(_) | Stack::Shared(_) => panic!("no cluster of its own"),
    }
}

#[tokio::test]
async fn lines_of_a_request_name_it_and_its_community() {
    let community = cluster(at_debug()).await;
    // Refused in messaging, and told on by the gateway: a line in each.
    let answer = send(&community, "no-such-room", "00000000000000000000dead").await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    let lines = lines_of(&community, "no-such-room");
    for process in ["gateway", "messaging"] {
        let of_it = lines.iter().filter(|line| line.process == process);
        assert_ne!(
            of_it.clone().count(),
            0,
            "nothing of {process} in {lines:#?}"
        );
        for line in of_it {
            assert_eq!(
                line.get("community"),
                community.demo.community_id,
                "{line:#?}"
            );
        }
    }
}

#[tokio::test]
async fn they_do_so_also_where_the_log_names_targets_alone() {
    let targets = "guildhall_messaging=debug,guildhall_runtime::error=debug";
    let community = cluster(Plan {
        args: vec!["--log".into(), targets.into()],
        ..Plan::default()
    });
    let community = community.await;
    let answer = send(&community, "no-such-room", "00000000000000000000dead").await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    let lines = lines_of(&community, "no-such-room");
    assert_ne!(lines.len(), 0);
    for line in lines {
        assert_eq!(
            line.get("community"),
            community.demo.community_id,
            "{line:#?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_its_process_is_no_failure() {
    let community = Community::around(Platform::start_with(Options::default()).await).await;
    let mut messages = MessageServiceClient::new(grpc::connect(&community.demo.grpc_url).await);
    let watch = WatchMessagesRequest {
        channel: general(&community).to_owned(),
        ..Default::default()
    };
    let watch = grpc::signed(watch, &format!("Bearer {}", community.demo.api_key));
    let mut stream = messages.watch_messages(watch).await.unwrap().into_inner();
    let (status, log) = community.platform.embedded().stop().await;
    assert!(status.success(), "{status}");
    let end = stream.message().await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(!log.contains("request failed"), "{log}");
}

#[tokio::test]
async fn lines_of_a_sampled_request_name_its_trace() {
    let mut plan = at_debug();
    // Nobody is there: the trace is named all the same.
    let nowhere = "http://127.0.0.1:1".to_owned();
    plan.variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", nowhere)];
    plan.args.push("--trust-traceparent".to_owned());
    let community = cluster(plan).await;
    let call = community
        .rest
        .get("/v1/messages/channel/00000000000000000000dead");
    let call = call.bearer(&community.demo.api_key);
    let call = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = call.header("x-request-id", "traced").send().await;
    assert_eq!(answer.status / 100, 4, "{}", answer.body);
    let lines = lines_of(&community, "traced");
    assert_ne!(lines.len(), 0);
    for line in lines {
        assert_eq!(line.get("trace_id"), TRACE, "{line:#?}");
    }
}

#[tokio::test]
async fn what_a_caller_does_wrong_is_no_line_at_info() {
    let community = cluster(Plan::default()).await;
    let answer = send(&community, "no-such-room", "00000000000000000000dead").await;
    assert_eq!(answer.status, 404);
    let stranger = Rest::new(&community.demo.base_url).get("/v1/channels");
    let stranger = stranger.bearer(&"ab".repeat(32));
    let answer = stranger.header("x-request-id", "stranger").send().await;
    assert_eq!(answer.status, 401);
    for id in ["no-such-room", "stranger"] {
        let lines = lines_of(&community, id);
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

#[tokio::test]
async fn what_the_database_refuses_is_one_line_in_the_process_that_asked_it() {
    let community = cluster(Plan::default()).await;
    let database = messaging_of(&community).database("messaging");
    let trigger = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN \
                   RAISE EXCEPTION 'the table is broken'; END $$ LANGUAGE plpgsql; \
                   CREATE TRIGGER refuse BEFORE INSERT ON messages EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(trigger).execute(&database).await.unwrap();
    let answer = send(&community, "refused-write", general(&community)).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(!answer.body.contains("broken"), "{}", answer.body);
    let line = only_trouble(&community, "refused-write");
    assert_eq!(line.process, "messaging");
    assert_eq!(line.get("level"), "ERROR");
    assert_eq!(line.get("community"), community.demo.community_id);
    assert!(
        line.get("error").contains("the table is broken"),
        "{line:#?}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_one_line_with_its_cause() {
    let community = cluster(Plan {
        proxies: true,
        ..Plan::default()
    })
    .await;
    let line = &messaging_of(&community)[MESSAGING][0].proxies().database;
    line.set(Mode::Refuse);
    line.reset_all();
    let answer = send(&community, "no-database", general(&community)).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    let line = only_trouble(&community, "no-database");
    assert_eq!(
        (line.process.as_str(), line.get("level")),
        ("messaging", "WARN")
    );
    assert_eq!(line.get("community"), community.demo.community_id);
    assert!(line.get("error").contains(": "), "no cause in {line:#?}");
}

#[tokio::test]
async fn a_service_that_is_away_is_one_line_of_the_gateway() {
    let mut community = cluster(Plan::default()).await;
    let Stack::Cluster(cluster) = &mut community.platform else {
        panic!("no cluster");
    };
    cluster[MESSAGING][0].kill9().await;
    let answer = send(&community, "nobody-home", general(&community)).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    let line = only_trouble(&community, "nobody-home");
    assert_eq!(
        (line.process.as_str(), line.get("level")),
        ("gateway", "WARN")
    );
    assert_eq!(line.get("community"), community.demo.community_id);
}

#[tokio::test]
async fn in_one_process_a_failure_is_one_line_too() {
    let community = Community::around(Platform::start_with(Options::default()).await).await;
    let Stack::Embedded(platform) = &community.platform else {
        panic!("no process");
    };
    let path = platform.data_dir().join("messaging.db");
    let url = format!("sqlite://{}", path.display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN \
                   SELECT RAISE(FAIL, 'the table is broken'); END";
    sea_orm::ConnectionTrait::execute_unprepared(&database, trigger)
        .await
        .unwrap();
    let answer = send(&community, "refused-write", general(&community)).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    let line = only_trouble(&community, "refused-write");
    assert_eq!(line.get("level"), "ERROR");
    assert_eq!(line.get("community"), community.demo.community_id);
    assert_eq!(
        line.get("rpc"),
        "/guildhall.messaging.v1.MessageService/SendMessage"
    );
}
