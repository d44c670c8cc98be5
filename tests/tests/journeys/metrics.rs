//! What a platform tells its operator: exactly what was done, and nothing of whom.

use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Rest, grpc::signed};
use guildhall_tests::{
    Community, Credential, OPERATIONS,
    exposition::{Exposition, shows, with_metrics},
};
use http::Method;
use serde_json::{Value, json};

const SEND: &str = "/v1/messages/send";
const SEND_RPC: &str = "guildhall.messaging.v1.MessageService/SendMessage";

fn hello(community: &Community) -> Value {
    json!({ "channelId": community.demo.channel("general"), "message": "Hello", "sender": "ada" })
}

#[tokio::test]
async fn what_was_done_is_counted_exactly() {
    let community = with_metrics(0).await;
    let hello = hello(&community);
    let before = Exposition::of(&community.platform).await;
    for path in [SEND, "/messages/send", "/apis/v1/messages/send", SEND] {
        community.integrator().post(path, &hello).await.expect(200);
    }
    community
        .rest
        .post(SEND)
        .json(&hello)
        .send()
        .await
        .expect(401);
    let nowhere = format!("/v1/{}", community.demo.community_id);
    let nowhere = community.rest.get(&nowhere).send().await;
    assert_eq!(nowhere.status, 404);
    let wrong_method = community.rest.call(Method::DELETE, SEND).send().await;
    assert_eq!(wrong_method.status, 405);
    let after = Exposition::of(&community.platform).await;

    let grown = |name: &str, labels: &[(&str, &str)]| after.growth(&before, name, labels);
    let route = [("method", "POST"), ("route", SEND)];
    let answered = |status| {
        let labels = [&route[..], &[("status", status)]].concat();
        grown("guildhall_http_requests_total", &labels)
    };
    assert_eq!((answered("200"), answered("401")), (4.0, 1.0));
    let timed = "guildhall_http_request_duration_seconds";
    for series in ["count", "bucket"] {
        let name = format!("{timed}_{series}");
        let all = after.samples(&name, &route);
        let all = all.filter(|sample| sample.labels.get("le").is_none_or(|le| le == "+Inf"));
        assert_eq!(all.map(|sample| sample.value).sum::<f64>(), 5.0, "{name}");
    }
    let strays = |status| {
        let labels = [("method", "other"), ("route", "none"), ("status", status)];
        grown("guildhall_http_requests_total", &labels)
    };
    assert_eq!((strays("404"), strays("405")), (1.0, 1.0));
    assert_eq!(after.sum("guildhall_http_requests_in_flight", &[]), 0.0);

    let rpc = [("rpc", SEND_RPC), ("code", "OK")];
    assert_eq!(grown("guildhall_rpc_requests_total", &rpc), 4.0);
    let timed = "guildhall_rpc_request_duration_seconds_count";
    assert_eq!(grown(timed, &rpc[..1]), 4.0);

    let queue = [("queue", "messages")];
    assert_eq!(grown("guildhall_commit_batch_size_sum", &queue), 4.0);
    assert_eq!(grown("guildhall_commit_wait_seconds_count", &queue), 4.0);
    let batches = grown("guildhall_commit_batch_size_count", &queue);
    let timed = "guildhall_commit_duration_seconds_count";
    assert_eq!(grown(timed, &queue), batches);
    assert!(batches > 0.0);
    assert_eq!(after.sum("guildhall_commit_queue_length", &queue), 0.0);
    assert_eq!(grown("guildhall_commit_troubles_total", &[]), 0.0);
}

#[tokio::test]
async fn who_is_not_let_in_is_counted_by_the_reason() {
    let community = with_metrics(5).await;
    let before = Exposition::of(&community.platform).await;
    let stranger = community.by(Credential::Bearer("0".repeat(64)));
    let channels = "/v1/channels";
    stranger.get(channels).await.expect(401);
    let mut limited = 0.0;
    for _ in 0..40 {
        let answer = community.integrator().get(channels).await;
        assert!(matches!(answer.status, 200 | 429), "{}", answer.body);
        limited += f64::from(u8::from(answer.status == 429));
    }
    assert!(limited > 0.0);
    let after = Exposition::of(&community.platform).await;
    let invalid = [("reason", "credential_invalid")];
    let refused = after.growth(&before, "guildhall_auth_failures_total", &invalid);
    assert_eq!(refused, 1.0);
    let refused = after.growth(&before, "guildhall_rate_limit_refusals_total", &[]);
    assert_eq!(refused, limited);
}

#[tokio::test]
async fn a_second_call_is_answered_from_the_cache() {
    let community = with_metrics(0).await;
    let before = Exposition::of(&community.platform).await;
    // Alone, an entry lives less than a second: of some calls in a row the most are quick enough.
    for _ in 0..10 {
        community.data("/v1/channels").await;
    }
    let after = Exposition::of(&community.platform).await;
    let name = "guildhall_cache_requests_total";
    let of = |result| after.growth(&before, name, &[("cache", "keys"), ("result", result)]);
    assert!(of("hit") >= 5.0, "{} hits", of("hit"));
    let entries = after.sum("guildhall_cache_entries", &[("cache", "keys")]);
    assert!(entries >= 1.0, "{entries} entries");
}

#[tokio::test]
async fn a_stream_counts_while_it_is_open() {
    let community = with_metrics(0).await;
    let open =
        |count: f64| move |shown: &Exposition| shown.sum("guildhall_streams_open", &[]) == count;
    let request = WatchMessagesRequest {
        channel: community.demo.channel("general").to_owned(),
        after_seq: None,
    };
    let request = signed(request, &format!("Bearer {}", community.demo.api_key));
    let mut messages = MessageServiceClient::new(community.services.clone());
    let stream = messages.watch_messages(request).await.unwrap();
    shows(&community.platform, "the open stream", open(1.0)).await;
    drop(stream);
    shows(&community.platform, "its end", open(0.0)).await;
    let watch = "guildhall.messaging.v1.MessageService/WatchMessages";
    let gone = [("rpc", watch), ("code", "Cancelled")];
    let counted = |shown: &Exposition| shown.sum("guildhall_rpc_requests_total", &gone) == 1.0;
    shows(&community.platform, "that it was given up", counted).await;
}

#[tokio::test]
async fn a_process_shows_what_it_is_and_what_it_stands_on() {
    let community = with_metrics(0).await;
    community
        .send(community.demo.channel("general"), "ada", "Hello")
        .await;
    let processes = community.platform.metrics().len() as f64;
    let shown = Exposition::of(&community.platform).await;
    assert_eq!(shown.sum("guildhall_build_info", &[]), processes);
    for (name, labels) in [
        ("process_resident_memory_bytes", &[][..]),
        ("process_cpu_seconds_total", &[]),
        ("process_open_fds", &[]),
        ("process_start_time_seconds", &[]),
        ("guildhall_tokio_workers", &[]),
        ("guildhall_tokio_alive_tasks", &[]),
        ("guildhall_connections_open", &[("listener", "http")]),
        (
            "guildhall_db_pool_connections",
            &[("database", "messaging")],
        ),
        ("guildhall_db_pool_max_connections", &[("pool", "writer")]),
        ("guildhall_db_begin_duration_seconds_count", &[]),
        ("guildhall_outbox_rows", &[("service", "messaging")]),
    ] {
        assert!(shown.sum(name, labels) > 0.0, "{name}");
    }
    let in_a_cluster = community.platform.metrics().len() > 1;
    let everywhere = [("state", "everywhere")];
    if in_a_cluster {
        let covered = |shown: &Exposition| {
            let covered = shown.sum("guildhall_bus_coverage", &everywhere);
            covered == processes && shown.sum("guildhall_bus_coverage", &[]) == processes
        };
        shows(&community.platform, "that everybody is heard", covered).await;
        assert!(shown.sum("guildhall_peer_connections", &[]) > 0.0);
        assert!(shown.sum("guildhall_peer_call_duration_seconds_count", &[]) > 0.0);
    }
}

#[tokio::test]
async fn figures_say_nothing_about_anybody() {
    let community = with_metrics(0).await;
    let parameters = community.parameters();
    for operation in OPERATIONS.iter() {
        for kind in &operation.kinds {
            let credential = community.credential(*kind);
            operation
                .make(&community.rest, &parameters, &credential)
                .await;
        }
    }
    let shown = Exposition::of(&community.platform).await;
    let names = [
        "address", "cache", "code", "consumer", "database", "kind", "le", "listener", "method",
        "outcome", "pool", "queue", "reader", "reason", "result", "route", "rpc", "service",
        "state", "status", "version",
    ];
    for sample in &shown.samples {
        for (key, value) in &sample.labels {
            assert!(names.contains(&key.as_str()), "{sample:?}");
            let mut words = value.split(|c: char| !c.is_ascii_alphanumeric());
            let id = words
                .find(|word| word.len() >= 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_eq!(id, None, "{sample:?}");
            for user in &community.demo.users {
                assert!(!value.contains(&user.username), "{sample:?}");
            }
        }
    }
    for (name, kind) in &shown.kinds {
        assert!(shown.described.contains(name), "{name}, a {kind}");
        assert!(
            name.starts_with("guildhall_") || name.starts_with("process_"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_port_shows_metrics_and_nothing_else() {
    let community = with_metrics(0).await;
    for url in community.platform.metrics() {
        let port = Rest::new(&url);
        let shown = port.get("/metrics").send().await;
        let media_type = shown.header("content-type").unwrap();
        assert!(media_type.starts_with("application/openmetrics-text"));
        for path in ["/", "/metrics/", "/v1/channels", "/healthz"] {
            assert_eq!(port.get(path).send().await.status, 404, "{path}");
        }
        assert_eq!(port.post("/metrics").send().await.status, 405);
    }
    for path in ["/metrics", "/v1/metrics", "/apis/v1/metrics"] {
        assert_eq!(community.rest.get(path).send().await.status, 404, "{path}");
    }
}
