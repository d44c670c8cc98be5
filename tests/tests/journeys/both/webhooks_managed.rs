//! Incoming webhooks as admins make, change and list them.

use std::time::Duration;

use guildhall_tests::{
    Community, Family, Refusal,
    webhook::{Webhook, sent},
};
use http::Method;
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_webhook_is_shown_as_the_contract_says() {
    let community = Community::start().await;
    let (general, forum) = (
        community.demo.channel("general"),
        community.demo.channel("forum"),
    );
    let new = json!({
        "name": " News ", "kind": "send_message",
        "settings": { "channelId": general, "allowedChannelIds": [forum], "sender": "johndoe" }
    });
    let made = community
        .integrator()
        .post("/v1/webhooks/incoming", &new)
        .await;
    let made = made.expect(201);
    assert_eq!(made["meta"]["statusCode"], 201);
    let news = Webhook::of(&community, &made["data"]);
    let mut shown = made["data"].clone();
    assert_eq!(
        shown.as_object_mut().unwrap().remove("apiKey").unwrap(),
        json!(news.key)
    );
    let expected = json!({
        "_id": news.id, "communityID": community.demo.community_id, "name": "News",
        "kind": "send_message", "url": format!("{}{}", community.platform.http(), news.path),
        "settings": {
            "channelId": general, "allowedChannelIds": [forum], "sender": "johndoe",
            "allowedFields": [], "allowedCurrencies": []
        },
        "apiKeyEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
        "isEnabled": true, "createdAt": shown["createdAt"], "updatedAt": shown["updatedAt"],
        "lastUsedAt": null
    });
    assert_eq!(shown, expected);
    let by_id = format!("/v1/webhooks/incoming/{}", news.id);
    assert_eq!(community.data(&by_id).await, expected);

    let list = community
        .integrator()
        .get("/v1/webhooks/incoming?page=2&limit=1")
        .await;
    let list = list.expect(200);
    let meta = json!({
        "status": "success", "statusCode": 200, "page": 2, "limit": 1, "total": 2, "totalPages": 2
    });
    assert_eq!(list["meta"], meta, "the demo has one, too, and it is older");
    assert_eq!(list["data"], json!([expected]));

    sent(&news.call(&community, &json!({ "message": "Hello" })).await);
    let used = async {
        while community.data(&by_id).await["lastUsedAt"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, used)
        .await
        .expect("its use is noted");
}

#[tokio::test]
async fn the_host_that_a_request_names_decides_no_url() {
    let community = Community::start().await;
    let news = Webhook::make(&community, json!({})).await;
    for path in [
        format!("/v1/webhooks/incoming/{}", news.id),
        "/v1/webhooks/incoming".into(),
    ] {
        let asked = community.rest.get(&path).bearer(&community.demo.api_key);
        let asked = asked.header("host", "elsewhere.example");
        let asked = asked.header("x-forwarded-host", "elsewhere.example");
        let answer = asked.send().await.expect(200).to_string();
        assert!(!answer.contains("elsewhere"), "{answer}");
        let url = format!("{}{}", community.platform.http(), news.path);
        assert!(answer.contains(&url), "{answer}");
    }
}

#[tokio::test]
async fn what_a_webhook_cannot_be_is_refused_by_name() {
    let community = Community::start().await;
    let news = Webhook::make(&community, json!({})).await;
    let general = community.demo.channel("general");
    let good = json!({ "channelId": general, "sender": "johndoe" });
    for (field, change) in [
        ("name", json!({ "name": " " })),
        ("name", json!({ "name": "n".repeat(101) })),
        ("kind", json!({ "kind": "send_mail" })),
        (
            "settings.channelId",
            json!({ "settings": { "channelId": "general", "sender": "a" } }),
        ),
        (
            "settings.allowedChannelIds[0]",
            json!({ "settings": { "channelId": general, "sender": "a", "allowedChannelIds": ["x"] } }),
        ),
        (
            "settings.allowedCurrencies[1]",
            json!({
                "settings": { "channelId": general, "sender": "a", "allowedCurrencies": ["xp", "x"] }
            }),
        ),
        (
            "encryption.key",
            json!({ "encryption": { "isEnabled": true } }),
        ),
        (
            "encryption.key",
            json!({ "encryption": { "isEnabled": true, "key": "short" } }),
        ),
    ] {
        let mut new = json!({ "name": "News", "kind": "send_message", "settings": good });
        for (name, value) in change.as_object().unwrap() {
            new[name] = value.clone();
        }
        let path = format!("/v1/webhooks/incoming/{}", news.id);
        let made = community
            .integrator()
            .post("/v1/webhooks/incoming", &new)
            .await;
        let changed = community
            .integrator()
            .call(Method::PATCH, &path)
            .json(&change);
        for answer in [made, changed.send().await] {
            let answer = answer.expect(400);
            assert_eq!(answer["meta"]["validation"][0]["field"], field, "{answer}");
        }
    }
    let other_kind = json!({ "kind": "update_currency" });
    let path = format!("/v1/webhooks/incoming/{}", news.id);
    let other_kind = community
        .integrator()
        .call(Method::PATCH, &path)
        .json(&other_kind);
    Family::E2.refuses(&other_kind.send().await, Refusal::Invalid);
}

#[tokio::test]
async fn a_community_has_fifty_of_them() {
    let community = Community::start().await;
    let new = json!({ "name": "One more", "kind": "update_user_fields" });
    // The demo has one already; all others are wanted at once.
    let callers: Vec<_> = (0..55).map(|_| community.integrator()).collect();
    let made = callers
        .iter()
        .map(|caller| caller.post("/v1/webhooks/incoming", &new));
    let made = futures::future::join_all(made).await;
    let count = |status| made.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(400)), (49, 6));
    let id = community.demo.incoming_webhook._id.clone();
    let path = format!("/v1/webhooks/incoming/{id}");
    community.integrator().delete(&path).await.expect(200);
    community
        .integrator()
        .post("/v1/webhooks/incoming", &new)
        .await
        .expect(201);
}
