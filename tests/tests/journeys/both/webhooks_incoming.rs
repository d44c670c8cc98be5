//! Webhooks that are called from outside: who may call them, how, and what a call does.

use guildhall_tests::{
    Community, Family, Refusal,
    webhook::{Webhook, sent},
};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn a_call_sends_a_message_as_the_settings_say() {
    let community = Community::start().await;
    let news = Webhook::make(&community, json!({})).await;
    let id = sent(
        &news
            .call(&community, &json!({ "message": "It works" }))
            .await,
    );
    let message = community.message(&id).await;
    assert_eq!(message.text, "It works");
    assert_eq!(message.channel_id, community.demo.channel("general"));
    let author = message.author.unwrap();
    assert_eq!(author.user_id, community.demo.user("johndoe")._id);

    // A call may name another author, and a channel that the settings allow.
    let [forum, announcements] =
        ["forum", "announcements"].map(|name| community.demo.channel(name));
    let settings = json!({ "settings": { "allowedChannelIds": [forum] } });
    news.change(&community, &settings).await;
    let topic = &community.demo.forum_topic_id;
    let call = json!({
        "message": "By ada", "sender": "ada@example.com", "channelId": forum, "forumTopicId": topic
    });
    let message = community
        .message(&sent(&news.call(&community, &call).await))
        .await;
    assert_eq!((&*message.channel_id, &message.topic_id), (forum, topic));
    // The other spelling of the contract means the same.
    let spelled = json!({
        "message": "Spelled otherwise", "channel_id": forum, "forum_topic_id": topic
    });
    let spelled = sent(&news.call(&community, &spelled).await);
    let spelled = community.message(&spelled).await;
    assert_eq!((&*spelled.channel_id, &spelled.topic_id), (forum, topic));
    let twice = json!({ "message": "x", "channelId": forum, "channel_id": announcements });
    let twice = news.call(&community, &twice).await.expect(400);
    let expected = json!([{
        "field": "channelId",
        "message": "channelId is given twice, with different values"
    }]);
    assert_eq!(twice["errors"], expected);
    assert_eq!(
        message.author.unwrap().user_id,
        community.demo.user("ada")._id
    );

    for (call, refusal) in [
        (
            json!({ "message": "x", "channelId": announcements }),
            Refusal::Forbidden,
        ),
        (
            json!({ "message": "x", "channelId": "general" }),
            Refusal::Invalid,
        ),
        (
            json!({ "message": "x", "sender": "nobody" }),
            Refusal::NotFound,
        ),
        (
            json!({ "message": "x", "channelId": forum, "forumTopicId": "1" }),
            Refusal::Invalid,
        ),
        (json!({ "message": " " }), Refusal::Invalid),
        (json!({ "message": 1 }), Refusal::Invalid),
        (json!({}), Refusal::Invalid),
        (json!([]), Refusal::Invalid),
    ] {
        Family::E1.refuses(&news.call(&community, &call).await, refusal);
    }
    let missing = news.call(&community, &json!({})).await.expect(400);
    assert_eq!(missing["errors"][0]["field"], "message");
    let malformed = news.call_with(&community, &[], "{").await;
    Family::E1.refuses(&malformed, Refusal::Invalid);
    let large = json!({ "message": "x".repeat(64 * 1024) });
    Family::E1.refuses(&news.call(&community, &large).await, Refusal::TooLarge);
}

#[tokio::test]
async fn without_a_sender_the_bot_of_the_community_is_the_author() {
    let community = Community::start().await;
    let general = community.demo.channel("general");
    let announcements = community.demo.channel("announcements");
    let settings = json!({
        "settings": { "channelId": general, "allowedChannelIds": [announcements] }
    });
    let news = Webhook::make(&community, settings).await;
    let message = community
        .message(&sent(
            &news.call(&community, &json!({ "message": "Hi" })).await,
        ))
        .await;
    let bot = message.author.unwrap();
    assert!(bot.display_name.starts_with("Demo"), "{bot:?}");
    assert_eq!(bot.number, 0);
    assert!(
        community
            .demo
            .users
            .iter()
            .all(|user| user._id != bot.user_id)
    );

    // The bot may write where members only read, and an empty sender is none.
    let call = json!({ "message": "Hi all", "channelId": announcements, "sender": "" });
    let message = community
        .message(&sent(&news.call(&community, &call).await))
        .await;
    assert_eq!(message.author.unwrap(), bot);
    news.change(&community, &json!({ "settings": { "sender": "johndoe" } }))
        .await;
    let message = community
        .message(&sent(
            &news.call(&community, &json!({ "message": "Hi" })).await,
        ))
        .await;
    let johndoe = &community.demo.user("johndoe")._id;
    assert_eq!(message.author.unwrap().user_id, *johndoe);
    news.change(&community, &json!({ "settings": { "sender": "" } }))
        .await;
    let message = community
        .message(&sent(
            &news.call(&community, &json!({ "message": "Hi" })).await,
        ))
        .await;
    assert_eq!(message.author.unwrap(), bot);
}

#[tokio::test]
async fn its_own_key_opens_a_webhook_and_nothing_else_does() {
    let community = Community::start().await;
    let news = Webhook::make(&community, json!({})).await;
    let other = Webhook::make(&community, json!({})).await;
    let hello = json!({ "message": "Hello" });
    let demo = &community.demo;
    for key in ["", &other.key, &demo.system_api_key, &demo.api_key, "é"] {
        let call = community.rest.post(&news.path).header("x-api-key", key);
        let answer = call.json(&hello).send().await;
        let refusal = if key == "é" {
            Refusal::Invalid
        } else {
            Refusal::Unauthenticated
        };
        Family::E1.refuses(&answer, refusal);
    }
    // What opens the rest of the contract opens no webhook.
    let by_admin = community.integrator().post(&news.path, &hello).await;
    Family::E1.refuses(&by_admin, Refusal::Unauthenticated);

    // Without the toggle nobody asks for a key; with it the old one is good again.
    news.change(&community, &json!({ "apiKeyEnabled": false }))
        .await;
    let keyless = community.rest.post(&news.path).json(&hello).send().await;
    sent(&keyless);
    let data = news
        .change(&community, &json!({ "apiKeyEnabled": true }))
        .await;
    assert!(data.get("apiKey").is_none(), "{data}");
    let keyless = community.rest.post(&news.path).json(&hello).send().await;
    Family::E1.refuses(&keyless, Refusal::Unauthenticated);
    sent(&news.call(&community, &hello).await);

    let data = news
        .change(&community, &json!({ "rotateApiKey": true }))
        .await;
    let rotated = Webhook::of(&community, &data);
    assert_eq!((rotated.key.len(), &rotated.path), (64, &news.path));
    Family::E1.refuses(
        &news.call(&community, &hello).await,
        Refusal::Unauthenticated,
    );
    sent(&rotated.call(&community, &hello).await);

    // One that never had a key gets it when it needs it.
    let open = Webhook::make(&community, json!({ "apiKeyEnabled": false })).await;
    assert_eq!(open.key, "");
    let data = open
        .change(&community, &json!({ "apiKeyEnabled": true }))
        .await;
    sent(
        &Webhook::of(&community, &data)
            .call(&community, &hello)
            .await,
    );
}

#[tokio::test]
async fn a_repeat_answers_the_first_call() {
    let community = Community::start().await;
    let news = Webhook::make(&community, json!({})).await;
    let other = Webhook::make(&community, json!({})).await;
    let hello = json!({ "message": "Once" }).to_string();
    let long = "k".repeat(255);
    for header in [("webhook-id", "msg_1"), ("Idempotency-Key", &long)] {
        let first = news.call_with(&community, &[header], &hello).await;
        assert_eq!(first.header("idempotent-replayed"), None);
        let again = news.call_with(&community, &[header], &hello).await;
        assert_eq!(sent(&again), sent(&first));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        let other_text = json!({ "message": "Another" }).to_string();
        let refused = news.call_with(&community, &[header], &other_text).await;
        Family::E1.refuses(&refused, Refusal::Conflict);
        // Another webhook has names of its own.
        let others = other.call_with(&community, &[header], &hello).await;
        assert_ne!(sent(&others), sent(&first));
    }

    // Both names guard, whatever the other one says.
    let both = [("webhook-id", "msg_2"), ("Idempotency-Key", "key 2")];
    let first = sent(&news.call_with(&community, &both, &hello).await);
    for headers in [
        [("webhook-id", "msg_2"), ("Idempotency-Key", "fresh key")],
        [("webhook-id", "fresh id"), ("Idempotency-Key", "key 2")],
        // What was answered so is a name of the first call, too.
        [
            ("webhook-id", "fresh id"),
            ("Idempotency-Key", "fresher key"),
        ],
    ] {
        let again = news.call_with(&community, &headers, &hello).await;
        assert_eq!(sent(&again), first, "{headers:?}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    let other_text = json!({ "message": "Another" }).to_string();
    for (header, value) in both {
        let headers = [(header, value)];
        let refused = news.call_with(&community, &headers, &other_text).await;
        let refused = refused.expect(409)["message"].take();
        assert!(refused.as_str().unwrap().starts_with(header), "{refused}");
    }
    for wrong in ["x".repeat(256), "a\tb".to_owned()] {
        let headers = [("webhook-id", wrong.as_str())];
        let refused = news.call_with(&community, &headers, &hello).await;
        assert_eq!(refused.expect(400)["errors"][0]["field"], "webhook-id");
    }
    let unnamed = [
        news.call_with(&community, &[], &hello).await,
        news.call_with(&community, &[], &hello).await,
    ];
    assert_ne!(sent(&unnamed[0]), sent(&unnamed[1]));
}

#[tokio::test]
async fn the_calls_of_a_minute_are_counted_for_each_webhook() {
    let community = Community::start().await;
    let busy = Webhook::make(&community, json!({})).await;
    let other = Webhook::make(&community, json!({})).await;
    let mut taken = 0;
    // A wrong key counts, too: nobody guesses at leisure.
    let refused = loop {
        let call = community
            .rest
            .post(&busy.path)
            .header("x-api-key", "guessed guessed");
        let answer = call.json(&json!({ "message": "x" })).send().await;
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 401, "{}", answer.body);
        taken += 1;
        assert!(taken < 200, "there is no end");
    };
    assert_eq!(taken, 60);
    Family::E1.refuses(&refused, Refusal::RateLimited);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Who has the key is not held up by who has not.
    sent(&busy.call(&community, &json!({ "message": "x" })).await);
    sent(
        &other
            .call(&community, &json!({ "message": "Another one" }))
            .await,
    );
}

#[tokio::test]
async fn what_is_disabled_deleted_or_elsewhere_is_not_found() {
    let community = Community::start().await;
    let theirs = community.another("neighbours").await;
    let news = Webhook::make(&community, json!({})).await;
    let hello = json!({ "message": "Hello" });
    let by_id = format!("/v1/webhooks/incoming/{}", news.id);
    sent(&news.call(&community, &hello).await);

    news.change(&community, &json!({ "isEnabled": false }))
        .await;
    Family::E1.refuses(&news.call(&community, &hello).await, Refusal::NotFound);
    news.change(&community, &json!({ "isEnabled": true })).await;
    sent(&news.call(&community, &hello).await);

    // The id is not the address.
    Family::E1.refuses(
        &community.rest.post(&by_id).json(&hello).send().await,
        Refusal::NotFound,
    );
    let stranger = community.bearer(&theirs.community.api_key);
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let call = stranger
            .call(method, &by_id)
            .json(&json!({ "name": "Mine" }));
        Family::E2.refuses(&call.send().await, Refusal::NotFound);
    }
    sent(&news.call(&community, &hello).await);

    let deleted = community.integrator().delete(&by_id).await.expect(200);
    let expected = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Delete incoming webhook success.", "data": { "_id": news.id }
    });
    assert_eq!(deleted, expected);
    Family::E1.refuses(&news.call(&community, &hello).await, Refusal::NotFound);
    Family::E2.refuses(&community.integrator().get(&by_id).await, Refusal::NotFound);
    Family::E2.refuses(
        &community.integrator().delete(&by_id).await,
        Refusal::NotFound,
    );
}

#[tokio::test]
async fn what_is_not_built_yet_is_checked_and_then_says_so() {
    let community = Community::start().await;
    let fields = json!({ "kind": "update_user_fields", "settings": { "allowedFields": ["tier"] } });
    let fields = Webhook::make(&community, fields).await;
    let coins =
        json!({ "kind": "update_currency", "settings": { "allowedCurrencies": ["coins"] } });
    let coins = Webhook::make(&community, coins).await;
    let tier = json!({ "email": "ada@example.com", "fields": { "tier": "gold" } });
    let add = json!({ "userId": "2", "currency": "coins", "operation": "add", "amount": 100 });
    for (webhook, body, part) in [
        (&fields, &tier, "user fields"),
        (&coins, &add, "gamification"),
    ] {
        let answer = webhook.call(&community, body).await.expect(501);
        assert!(
            answer["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
        let wrong = webhook
            .call(&community, &json!({ "message": "Hello" }))
            .await;
        Family::E1.refuses(&wrong, Refusal::Invalid);
    }
    let unknown = json!({ "email": "ada@example.com", "fields": { "lots": 12 } });
    let unknown = fields.call(&community, &unknown).await.expect(400);
    assert_eq!(unknown["errors"][0]["field"], "fields.lots");
}
