//! One trace of a request, from the gateway to the database, at a real collector.

use std::time::{Duration, Instant};

use futures::future::join_all;
use guildhall_proto::messaging::v1::{
    SendMessageRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Cluster, Options, Plan, Platform, Rest, cluster::Certificates, grpc};
use guildhall_tests::{
    Community,
    collector::{self, Collector, DROPPED, Manner, Span, only},
};
use serde_json::json;

const SEND: &str = "POST /v1/messages/send";
const RPC: &str = "guildhall.messaging.v1.MessageService/SendMessage";
/// A caller's trace and the caller's span in it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What makes a process export to the collector, and trust what callers say of their traces.
fn trusting(collector: &Collector, sampler: &str) -> Vec<(&'static str, String)> {
    let trust = ("GUILDHALL_TRUST_TRACEPARENT", "true".to_owned());
    [collector.variables(sampler), vec![trust]].concat()
}

async fn cluster(collector: &Collector, sampler: &str) -> Community {
    cluster_with(trusting(collector, sampler)).await
}

async fn cluster_with(variables: Vec<(&'static str, String)>) -> Community {
    let plan = Plan {
        variables,
        ..Plan::default()
    };
    Community::around(Cluster::start_with(plan).await).await
}

async fn one_process(collector: &Collector, sampler: &str) -> Community {
    one_process_with(trusting(collector, sampler)).await
}

async fn one_process_with(variables: Vec<(&'static str, String)>) -> Community {
    let options = Options {
        variables,
        ..Options::default()
    };
    Community::around(Platform::start_with(options).await).await
}

/// Sends a message whose trace is the one that the caller names.
async fn send(community: &Community, traceparent: &str) {
    let body = json!({
        "channelId": community.demo.channel("general"),
        "message": "Nobody but the members may read this text",
        "sender": community.demo.users[0].username,
    });
    let call = Rest::new(&community.demo.base_url).post("/apis/v1/messages/send");
    let call = call.bearer(&community.demo.api_key).json(&body);
    let call = call.header("traceparent", traceparent);
    call.header("x-request-id", "a-traced-one")
        .send()
        .await
        .expect(200);
}

fn traceparent(trace: &str, sampled: bool) -> String {
    format!("00-{trace}-{CALLER}-0{}", u8::from(sampled))
}

/// The spans of one trace, when all that its request waits for have come. Each process exports when
/// it likes, and a span before the one that it is in.
async fn trace_of(collector: &Collector, trace: &str) -> Vec<Span> {
    let wanted = ["commit", SEND, RPC, "commit.wait", "COMMIT"];
    let of_trace = |spans: &[Span]| {
        let mut spans = spans.to_vec();
        spans.retain(|span| span.trace == trace);
        spans
    };
    let is_whole = |spans: &[Span]| {
        let spans = of_trace(spans);
        let is_there = |name: &&str| spans.iter().any(|span| span.name == *name);
        let hangs = |span: &Span| span.parent == CALLER || span.parent_in(&spans).is_some();
        wanted.iter().all(is_there) && spans.iter().all(hangs)
    };
    of_trace(&collector.spans_when(is_whole).await)
}

/// The trace of a message that a caller sent in a trace of their own.
async fn one_send_is_one_trace(
    collector: &Collector,
    community: &Community,
    system: &str,
) -> Vec<Span> {
    send(community, &traceparent(TRACE, true)).await;
    let spans = trace_of(collector, TRACE).await;
    let (request, rpc) = (only(&spans, SEND), only(&spans, RPC));
    let (wait, commit) = (only(&spans, "commit.wait"), only(&spans, "commit"));
    assert_eq!(request.parent, CALLER);
    assert_eq!(rpc.parent, request.id);
    assert_eq!(wait.parent, rpc.id);
    assert_eq!(commit.parent, wait.id);
    assert_eq!(commit.links, std::slice::from_ref(&wait.id));
    assert_eq!(commit.get("guildhall.commit.size"), "1");
    assert!(wait.time.0 <= commit.time.0 && commit.time.1 <= wait.time.1 + 5_000_000);

    let below: Vec<_> = spans.iter().filter(|it| it.parent == commit.id).collect();
    let did = |what: &str| below.iter().any(|it| it.get("db.operation.name") == what);
    assert!(did("BEGIN") && did("COMMIT"), "{below:#?}");
    let statements: Vec<_> = below
        .iter()
        .filter(|it| !it.get("db.query.text").is_empty())
        .collect();
    assert!(statements.len() >= 2, "{below:#?}");
    for statement in &below {
        assert_eq!(statement.get("db.system.name"), system);
        assert!(statement.time.0 >= commit.time.0, "{statement:#?}");
    }

    assert_eq!(request.get("http.route"), "/v1/messages/send");
    assert_eq!(request.get("http.request.method"), "POST");
    assert_eq!(request.get("http.response.status_code"), "200");
    assert_eq!(rpc.get("rpc.system"), "grpc");
    assert_eq!(rpc.get("rpc.method"), "SendMessage");
    assert_eq!(rpc.get("rpc.grpc.status_code"), "0");
    for span in [request, rpc] {
        assert_eq!(
            span.get("guildhall.community.id"),
            community.demo.community_id
        );
        assert_eq!(span.get("guildhall.request.id"), "a-traced-one");
        assert!(!span.failed);
    }
    for span in &spans {
        let said = |name: &String| {
            ["code.", "thread.", "target", "busy_ns", "idle_ns"]
                .iter()
                .any(|it| name.starts_with(it))
        };
        assert!(!span.attributes.keys().any(said), "{span:#?}");
    }
    let begins: Vec<_> = spans.iter().filter(|it| it.parent == CALLER).collect();
    assert_eq!(begins.len(), 1, "{begins:#?}");
    spans
}

#[tokio::test]
async fn a_send_is_one_trace_over_all_processes() {
    let collector = Collector::start().await;
    let community = cluster(&collector, "parentbased_always_off").await;
    let spans = one_send_is_one_trace(&collector, &community, "postgresql").await;
    let process_of = |name| only(&spans, name).service.as_str();
    assert_eq!(process_of(SEND), "guildhall-gateway");
    assert_eq!(process_of(RPC), "guildhall-messaging");
    assert_eq!(process_of("commit"), "guildhall-messaging");
    // A key that nobody has asked for yet is looked up: that belongs to the request, too. Each
    // process exports when it likes.
    let looks_up = |span: &Span| span.trace == TRACE && span.service == "guildhall-identity";
    collector
        .spans_when(|spans| spans.iter().any(looks_up))
        .await;
}

#[tokio::test]
async fn a_send_is_one_trace_in_one_process() {
    let collector = Collector::start().await;
    let community = one_process(&collector, "parentbased_always_off").await;
    let spans = one_send_is_one_trace(&collector, &community, "sqlite").await;
    assert!(spans.iter().all(|span| span.service == "guildhall"));
}

#[tokio::test]
async fn who_is_not_sampled_is_not_exported() {
    let collector = Collector::start().await;
    let community = cluster(&collector, "parentbased_always_on").await;
    let other = TRACE.replace('4', "5");
    send(&community, &traceparent(&other, false)).await;
    send(&community, &traceparent(TRACE, true)).await;
    trace_of(&collector, TRACE).await;
    let spans = collector.spans();
    // Between processes a request that is not sampled has a trace of zeros and a one.
    let is_other = |span: &Span| span.trace == other || span.trace.starts_with("00000000");
    assert!(!spans.iter().any(is_other), "{spans:#?}");
}

#[tokio::test]
async fn a_sampler_that_asks_no_caller_samples_what_the_caller_does_not() {
    let collector = Collector::start().await;
    let community = one_process(&collector, "always_on").await;
    send(&community, &traceparent(TRACE, false)).await;
    trace_of(&collector, TRACE).await;
}

#[tokio::test]
async fn requests_of_one_commit_are_all_linked_to_it() {
    let collector = Collector::start().await;
    let community = one_process(&collector, "parentbased_always_off").await;
    // Until it happens that two wait at once: with sixteen at a time, that is soon.
    let mut sent = 0;
    let commit = loop {
        let caller = traceparent(TRACE, true);
        join_all((0..16).map(|_| send(&community, &caller))).await;
        sent += 16;
        let is_all = |spans: &[Span]| count(spans, "commit.wait") == sent;
        let spans = collector.spans_when(is_all).await;
        // What handles their events is linked to several, too.
        let is_shared = |span: &&Span| span.name == "commit" && span.links.len() > 1;
        if let Some(commit) = spans.iter().find(is_shared) {
            break commit.clone();
        }
    };
    let spans = collector.spans();
    assert_eq!(
        commit.get("guildhall.commit.size"),
        commit.links.len().to_string()
    );
    for link in &commit.links {
        let linked = spans.iter().find(|span| span.id == *link).unwrap();
        assert_eq!(linked.name, "commit.wait");
    }
}

fn count(spans: &[Span], name: &str) -> usize {
    spans.iter().filter(|span| span.name == name).count()
}

async fn send_over_grpc(community: &Community, traceparent: &str) {
    let mut messages = MessageServiceClient::new(grpc::connect(&community.demo.grpc_url).await);
    let request = SendMessageRequest {
        channel: community.demo.channel("general").to_owned(),
        sender: community.demo.users[0].username.clone(),
        text: "Straight to messaging".into(),
        ..Default::default()
    };
    let mut request = grpc::signed(request, &format!("Bearer {}", community.demo.api_key));
    let context = traceparent.parse().unwrap();
    request.metadata_mut().insert("traceparent", context);
    messages.send_message(request).await.unwrap();
}

#[tokio::test]
async fn a_caller_from_outside_has_nothing_exported() {
    let collector = Collector::start().await;
    let community = one_process_with(collector.variables("parentbased_always_off")).await;
    send(&community, &traceparent(TRACE, true)).await;
    send_over_grpc(&community, &traceparent(TRACE, true)).await;
    // Its end exports the last spans.
    let (status, _) = community.platform.embedded().stop().await;
    assert!(status.success(), "{status}");
    let spans = collector.spans();
    assert!(spans.is_empty(), "{spans:#?}");
}

#[tokio::test]
async fn a_trace_of_ours_is_linked_to_that_of_a_caller_from_outside() {
    let collector = Collector::start().await;
    let community = cluster_with(collector.variables("parentbased_always_on")).await;
    send(&community, &traceparent(TRACE, false)).await;
    send_over_grpc(&community, &traceparent(TRACE, false)).await;
    let begins =
        |span: &Span, name| span.name == name && span.parent.is_empty() && span.links == [CALLER];
    // Between our processes the first one's decision holds: the request is one trace in both.
    let is_whole = |spans: &[Span]| {
        let over_rest = spans.iter().find(|span| begins(span, SEND));
        let over_grpc = spans.iter().any(|span| begins(span, RPC));
        let within = |rest: &Span| {
            let mut spans = spans.iter();
            spans.any(|rpc| rpc.name == RPC && rpc.trace == rest.trace && rpc.parent == rest.id)
        };
        over_grpc && over_rest.is_some_and(within)
    };
    let spans = collector.spans_when(is_whole).await;
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:#?}");
}

#[tokio::test]
async fn a_callers_trace_over_grpc_is_continued() {
    let collector = Collector::start().await;
    let community = cluster(&collector, "parentbased_always_off").await;
    send_over_grpc(&community, &traceparent(TRACE, true)).await;
    let is_it = |span: &Span| span.name == RPC && span.trace == TRACE && span.parent == CALLER;
    collector.spans_when(|spans| spans.iter().any(is_it)).await;
}

#[tokio::test]
async fn names_of_spans_are_never_a_callers_choice() {
    let collector = Collector::start().await;
    let community = one_process(&collector, "always_on").await;
    let path = "/apis/v1/messages/no-such-thing-is-here/at-all";
    let answer = community
        .rest
        .get(path)
        .bearer(&community.demo.api_key)
        .send()
        .await;
    assert_eq!(answer.status, 404);
    let is_it = |span: &Span| span.get("http.response.status_code") == "404";
    let spans = collector.spans_when(|spans| spans.iter().any(is_it)).await;
    for span in &spans {
        let texts = span.attributes.values().chain([&span.name]);
        assert!(
            texts.clone().all(|text| !text.contains("no-such")),
            "{span:#?}"
        );
    }
}

/// Neither a collector that is away nor one that never answers is noticed by anybody.
async fn nobody_is_harmed(url: &str) -> String {
    let mut variables = collector::variables(url, "always_on");
    variables.push(("OTEL_EXPORTER_OTLP_TIMEOUT", "500".to_owned()));
    // A queue that is full at once.
    variables.push(("OTEL_BSP_MAX_QUEUE_SIZE", "16".to_owned()));
    let community = one_process_with(variables).await;
    for _ in 0..50 {
        send(&community, &traceparent(TRACE, true)).await;
    }
    let platform = community.platform.embedded();
    while !platform.log().contains(DROPPED) {
        send_is_quick(&community.demo.base_url).await;
    }
    let asked_at = Instant::now();
    let (status, log) = platform.stop().await;
    assert!(status.success(), "{status}");
    assert!(
        asked_at.elapsed() < Duration::from_secs(10),
        "the end waits for a collector"
    );
    log
}

/// A request that is answered, whatever becomes of its trace.
async fn send_is_quick(url: &str) {
    let asked_at = Instant::now();
    let answer = Rest::new(url).get("/readyz").send().await;
    assert_eq!(answer.status, 200);
    assert!(asked_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_collector_is_spoken_to_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(folder.path());
    let collector = Collector::start_over_tls(&certificates).await;
    let mut variables = trusting(&collector, "always_on");
    let authority = certificates.ca.display().to_string();
    variables.push(("OTEL_EXPORTER_OTLP_CERTIFICATE", authority));
    let community = one_process_with(variables).await;
    send(&community, &traceparent(TRACE, true)).await;
    trace_of(&collector, TRACE).await;
}

#[tokio::test]
async fn a_collector_that_is_away_harms_nobody() {
    let log = nobody_is_harmed("http://127.0.0.1:1").await;
    assert_eq!(log.matches(DROPPED).count(), 1, "{log}");
}

#[tokio::test]
async fn a_collector_that_never_answers_harms_nobody() {
    let collector = Collector::start_as(Manner::Hangs).await;
    let log = nobody_is_harmed(collector.url()).await;
    assert_eq!(log.matches(DROPPED).count(), 1, "{log}");
}
