//! Pages in browsers: those of the origins that the operator names may call, and no other.

use guildhall_testkit::{Answer, Options};
use guildhall_tests::Community;
use http::Method;

async fn ask(community: &Community, origin: &str) -> Answer {
    let call = community.rest.call(Method::OPTIONS, "/v1/messages/send");
    let call = call.header("Origin", origin);
    let call = call.header("Access-Control-Request-Method", "POST");
    let wanted = "authorization,content-type,idempotency-key";
    call.header("Access-Control-Request-Headers", wanted)
        .send()
        .await
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_call_and_another_may_not() {
    let args = vec![
        "--cors-origins".to_owned(),
        "https://app.example.com,http://localhost:3000".to_owned(),
    ];
    let options = Options {
        args,
        ..Options::default()
    };
    let community = Community::start_with(options).await;
    for origin in ["https://app.example.com", "http://localhost:3000"] {
        let answer = ask(&community, origin).await;
        assert_eq!((answer.status, allowed(&answer)), (200, Some(origin)));
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("idempotency-key"), "{headers}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let stranger = ask(&community, "https://evil.example.com").await;
    assert_eq!(allowed(&stranger), None);
    // The request itself, also when it is refused: a page must see why.
    let call = community
        .rest
        .get("/v1/messages")
        .header("Origin", "https://app.example.com");
    let refused = call.send().await;
    assert_eq!(
        (refused.status, allowed(&refused)),
        (401, Some("https://app.example.com"))
    );
}

#[tokio::test]
async fn no_page_may_call_unless_the_operator_says_so() {
    let community = Community::start().await;
    let answer = ask(&community, "https://app.example.com").await;
    assert_eq!((answer.status, allowed(&answer)), (405, None));
}
