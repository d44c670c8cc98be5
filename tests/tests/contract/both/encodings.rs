//! Compressed bodies are read, and answers are compressed for who asks for it.

use std::convert::Infallible;

use bytes::Bytes;
use guildhall_tests::{Community, Differences, Family, Operation, Refusal};
use http::{Request, Response, header::ACCEPT_ENCODING};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tower_http::compression::{Compression, predicate::SizeAbove};

/// A body as a client of this encoding sends it.
async fn packed(body: &[u8], encoding: &str) -> Vec<u8> {
    let body = Bytes::copy_from_slice(body);
    let answer = service_fn(move |_: Request<()>| {
        let body = body.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
    });
    let packing = Compression::new(answer).compress_when(SizeAbove::new(0));
    let mut request = Request::new(());
    request
        .headers_mut()
        .insert(ACCEPT_ENCODING, encoding.parse().unwrap());
    let packed = packing.oneshot(request).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], encoding);
    packed
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .to_vec()
}

#[tokio::test]
async fn every_operation_reads_a_compressed_body() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for (operation, by, good) in community.operations_with_body() {
        let good = Value::Object(good).to_string();
        for encoding in ["gzip", "deflate", "br", "zstd"] {
            community.deliveries_done().await;
            let call = operation.bare(&community.rest, &community.parameters());
            let call = by.sign(call).header("Content-Type", "application/json");
            let body = packed(good.as_bytes(), encoding).await;
            let answer = call
                .header("Content-Encoding", encoding)
                .body(body)
                .send()
                .await;
            let case = format!("{} in {encoding}", operation.id);
            let right = operation.succeeds(&answer) || [404, 409].contains(&answer.status);
            // What is removed is removed once.
            let right = right || answer.body.contains("You have not added this reaction");
            differences.expect(right, case, answer.body);
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused() {
    let community = Community::start().await;
    let send = Operation::named("messages-send");
    let by = community.credential(send.kinds[0]);
    let good = send.body.unwrap()(&community.parameters()).to_string();
    let post = async |encoding: &str, body: Vec<u8>| {
        let call = by.sign(send.bare(&community.rest, &community.parameters()));
        call.header("Content-Encoding", encoding)
            .body(body)
            .send()
            .await
    };
    let plain = good.as_bytes();
    let gzip = packed(plain, "gzip").await;
    for encoding in ["GZIP", "x-gzip"] {
        post(encoding, gzip.clone()).await.expect(200);
    }
    post("", plain.to_vec()).await.expect(200);
    let before = community.fingerprint().await;
    for (encoding, body) in [
        ("gzip", plain.to_vec()),
        ("br", plain.to_vec()),
        ("zstd", plain.to_vec()),
        ("deflate", gzip.clone()),
        ("gzip", gzip[..gzip.len() / 2].to_vec()),
        ("identity", gzip),
    ] {
        Family::E1.refuses(&post(encoding, body).await, Refusal::Invalid);
    }
    // What unpacks to more than a body may hold is a bomb.
    let large = vec![b' '; 4 << 20];
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = packed(&large, encoding).await;
        assert!(bomb.len() < 100_000);
        Family::E1.refuses(&post(encoding, bomb).await, Refusal::TooLarge);
    }
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_asks_for_it() {
    let community = Community::start().await;
    let get = async |path: &str, encoding: &str| {
        let call = community.rest.get(path).header("Accept-Encoding", encoding);
        let answer = call.send().await;
        assert_eq!(answer.status, 200);
        answer.header("content-encoding").map(str::to_owned)
    };
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let answered = get("/v1/openapi.json", encoding).await;
        assert_eq!(answered.as_deref(), Some(encoding));
    }
    assert_eq!(get("/v1/openapi.json", "identity").await, None);
    assert_eq!(get("/healthz", "gzip").await, None, "it does not pay");
}
