//! Storing messages: the counters, the group commit, and its failures.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use guildhall_data::{Claim, MessageId, Tenant, Ticket, UserId, group_commit::Batch};
use guildhall_events::outbox;
use guildhall_messaging::{
    actions::append::{Append, Item},
    domain::{ChannelKind, Content, Emoji, MessageKind},
    events,
    store::{reactions::Reaction, sequences},
};
use guildhall_proto::{
    events::v1::{Event, MessagePosted, ReactionAdded, ReactionRemoved, event::Payload},
    messaging::v1::{ChannelType, FileReference, MessageDetails},
};
use guildhall_runtime::{Reason, Timestamp};
use guildhall_signals::MessagesStored;
use prost::Message as _;
use sea_orm::{QueryOrder, entity::prelude::*, sea_query::Expr};

use crate::fixture::{Community, id_of, item};

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_counts_its_messages_without_gaps() {
    let community = Arc::new(Community::new().await);
    let mut channels = Vec::new();
    for _ in 0..5 {
        channels.push(community.channel(ChannelKind::Open).await);
    }
    let sent = join_all((0..200).map(|n| {
        let (community, channel) = (Arc::clone(&community), Arc::clone(&channels[n % 5]));
        tokio::spawn(async move { community.say(&channel, &format!("message {n}")).await })
    }))
    .await;
    let mut by_channel: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for message in sent {
        let message = message.unwrap();
        by_channel
            .entry(message.channel_id.clone())
            .or_default()
            .push(message);
    }
    for channel in channels {
        let mut messages = by_channel.remove(&channel.id.to_string()).unwrap();
        messages.sort_by_key(|message| message.seq);
        let seqs: Vec<_> = messages.iter().map(|message| message.seq).collect();
        assert_eq!(seqs, (1..=40).collect::<Vec<_>>());
        assert_eq!(community.last_seq(channel.id).await, 40);
        for (earlier, later) in messages.iter().zip(&messages[1..]) {
            assert!(earlier.number < later.number);
            let moment = |of: &guildhall_proto::messaging::v1::Message| {
                Timestamp::from(of.create_time.unwrap())
            };
            assert!(moment(earlier) <= moment(later));
        }
    }
}

#[tokio::test]
async fn one_bad_message_fails_alone_and_leaves_no_gap() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let first = community.say(&channel, "the first").await;
    let mut items: Vec<_> = (0..20).map(|n| item(&channel, &format!("{n}"))).collect();
    items[7].message.id = id_of(&first);
    items[13].message.channel = community.missing_channel();

    let answers = join_all(items.into_iter().map(|item| community.post(item))).await;

    assert_eq!(
        answers[7].as_ref().unwrap_err().reason(),
        Reason::AlreadyExists
    );
    assert_eq!(
        answers[13].as_ref().unwrap_err().reason(),
        Reason::ChannelNotFound
    );
    let mut seqs: Vec<_> = answers
        .iter()
        .flatten()
        .map(|message| message.seq)
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (2..=19).collect::<Vec<_>>());
    assert_eq!(community.last_seq(channel.id).await, 19);
    assert_eq!(
        community.stored(id_of(&first)).await.unwrap().text,
        "the first"
    );
}

#[tokio::test]
async fn replies_are_counted_on_their_parent() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let parent = community.say(&channel, "who is there?").await;
    let other = community.say(&channel, "nobody answers me").await;
    let reply = || {
        let mut item = item(&channel, "me");
        item.message.parent = Some((id_of(&parent), parent.number));
        item
    };
    let replies = join_all((0..30).map(|_| community.post(reply()))).await;

    for reply in replies {
        let shown = reply.unwrap().parent.unwrap();
        assert_eq!((shown.id, shown.number), (parent.id.clone(), parent.number));
    }
    let parent = community.stored(id_of(&parent)).await.unwrap();
    assert_eq!(parent.reply_count, 30);
    assert!(parent.last_reply_at.unwrap() >= parent.created_at);
    let other = community.stored(id_of(&other)).await.unwrap();
    assert_eq!((other.reply_count, other.last_reply_at), (0, None));
}

/// Nothing of a direct message leaves its channel: its events name it, and say nothing of it.
#[tokio::test]
async fn events_of_direct_messages_have_ids_and_no_text() {
    let community = Community::new().await;
    let ann = UserId::generate();
    let channel = community.dm(&[ann, UserId::generate()]).await;
    let mut item = item(&channel, "between us");
    let details = MessageDetails {
        files: vec![FileReference {
            url: "https://files.example/secret.png".into(),
            name: "secret.png".into(),
            ..FileReference::default()
        }],
        ..MessageDetails::default()
    };
    let content = Content::new("between us".into(), MessageKind::Text, Some(details));
    item.message.content = content.unwrap();
    let sent = community.post(item).await.unwrap();

    let rows = outbox::entity::Entity::within(community.id)
        .all(community.database.reader())
        .await
        .unwrap();
    let event = Event::decode(rows[0].payload.as_slice()).unwrap();
    let posted = MessagePosted {
        message_id: sent.id.clone(),
        channel_id: channel.id.to_string(),
        seq: sent.seq,
        channel_type: ChannelType::Dm.into(),
        ..MessagePosted::default()
    };
    assert_eq!(event.payload, Some(Payload::MessagePosted(posted)));

    let reaction = Reaction {
        community: community.id,
        message: id_of(&sent),
        emoji: Emoji::parse("thumbsup").unwrap(),
        user: ann,
    };
    let (message_id, channel_id) = (sent.id.clone(), channel.id.to_string());
    let added = events::reaction_added(&reaction, &channel, Timestamp::now());
    let expected = ReactionAdded {
        message_id: message_id.clone(),
        channel_id: channel_id.clone(),
        channel_type: ChannelType::Dm.into(),
        ..ReactionAdded::default()
    };
    assert_eq!(added.payload, Payload::ReactionAdded(expected));
    let removed = events::reaction_removed(&reaction, &channel, Timestamp::now());
    let expected = ReactionRemoved {
        message_id,
        channel_id,
        channel_type: ChannelType::Dm.into(),
        ..ReactionRemoved::default()
    };
    assert_eq!(removed.payload, Payload::ReactionRemoved(expected));
}

#[tokio::test]
async fn every_message_has_an_event_and_notifies_its_channel() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let (woken, mut wakes) = tokio::sync::mpsc::unbounded_channel();
    let _subscription = community.signals.subscribe(move |stored: &MessagesStored| {
        let _ = woken.send(stored.channel);
    });
    let sent = join_all((0..10).map(|n| community.post(item(&channel, &format!("{n}"))))).await;
    assert_eq!(wakes.recv().await, Some(channel.id));

    let rows = outbox::entity::Entity::within(community.id)
        .order_by_asc(outbox::entity::Column::Position)
        .all(community.database.reader())
        .await
        .unwrap();
    let mut events = Vec::new();
    for row in rows {
        let event = Event::decode(row.payload.as_slice()).unwrap();
        assert_eq!(event.partition_key, channel.id.to_string());
        let Some(Payload::MessagePosted(posted)) = event.payload else {
            panic!("{event:?}")
        };
        events.push((posted.seq, posted.message_id, posted.text));
    }
    let mut messages: Vec<_> = sent
        .into_iter()
        .map(|message| message.unwrap())
        .map(|message| (message.seq, message.id, message.text))
        .collect();
    messages.sort_unstable();
    assert_eq!(
        events, messages,
        "one event per message, in the order of the channel"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sends_with_one_key_store_one_message() {
    let community = Arc::new(Community::new().await);
    let channel = community.channel(ChannelKind::Open).await;
    let attempts = join_all((0..1000).map(|_| {
        let (community, channel) = (Arc::clone(&community), Arc::clone(&channel));
        tokio::spawn(async move {
            match community.claim("key", "once").await? {
                Claim::First(ticket) => {
                    let item = Item {
                        ticket,
                        ..item(&channel, "once")
                    };
                    community.post(item).await.map(Some)
                }
                Claim::Replay(first) => Ok(first.message),
            }
        })
    }))
    .await;
    let mut stored = None;
    for attempt in attempts {
        match attempt.unwrap() {
            Ok(message) => {
                let first = stored.get_or_insert_with(|| message.clone());
                assert_eq!(*first, message, "every answer is the first one");
            }
            Err(error) => assert_eq!(error.reason(), Reason::IdempotencyInFlight),
        }
    }
    assert!(stored.is_some());
    assert_eq!(community.last_seq(channel.id).await, 1);
    let mismatch = community.claim("key", "something else").await.unwrap_err();
    assert_eq!(mismatch.reason(), Reason::IdempotencyMismatch);
}

#[tokio::test]
async fn a_message_and_all_its_keys_are_stored_by_one_commit() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let attempt = async |key: &str| {
        let Claim::First(ticket) = community.claim(key, "once").await? else {
            panic!("the key is fresh")
        };
        match community.claim_dedup_id(ticket, "d", "once").await? {
            Claim::First(ticket) => {
                let item = Item {
                    ticket,
                    ..item(&channel, "once")
                };
                community.post(item).await.map(Some)
            }
            Claim::Replay(first) => Ok(first.message),
        }
    };
    let first = attempt("one").await.unwrap();
    assert_eq!(attempt("two").await.unwrap(), first);
    assert_eq!(community.last_seq(channel.id).await, 1);
    for key in ["one", "two"] {
        let Claim::Replay(again) = community.claim(key, "once").await.unwrap() else {
            panic!("{key} was answered")
        };
        assert_eq!(again.message, first);
    }
    let other = community.claim_dedup_id(Ticket::none(), "d", "twice").await;
    let other = other.unwrap_err();
    assert_eq!(other.reason(), Reason::IdempotencyMismatch);
    assert_eq!(other.violations()[0].field, "dedup_id");
}

#[tokio::test]
async fn a_failed_send_frees_its_key() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let Claim::First(ticket) = community.claim("key", "a").await.unwrap() else {
        panic!()
    };
    let gone = Item {
        ticket,
        ..item(&community.missing_channel(), "a")
    };
    assert!(community.post(gone).await.is_err());
    let Claim::First(ticket) = community.claim("key", "a").await.unwrap() else {
        panic!()
    };
    community
        .post(Item {
            ticket,
            ..item(&channel, "a")
        })
        .await
        .unwrap();
    assert!(matches!(
        community.claim("key", "a").await.unwrap(),
        Claim::Replay(_)
    ));
}

#[tokio::test]
async fn an_unknown_outcome_can_be_looked_up() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let (signals, outbox) = (community.signals.clone(), community.outbox.clone());
    let append = Append::new(community.database.clone(), signals, outbox);
    let stored = item(&channel, "stored");
    let answers = append.commit(std::slice::from_ref(&stored)).await.unwrap();
    let asked = [item(&channel, "never sent"), stored];
    let outcomes = append.outcomes(&asked).await.unwrap();
    assert_eq!(outcomes[0], None);
    assert_eq!(outcomes[1].as_ref(), answers.first());
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a sequence has no community")]
async fn a_clock_that_steps_back_does_not_change_the_order() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    // Left behind by a clock that was an hour ahead.
    let ahead = Timestamp::now().as_millis() + 3_600_000;
    let transaction = community.database.begin().await.unwrap();
    sequences::Entity::update_many()
        .col_expr(sequences::Column::LastMoment, Expr::val(ahead))
        .exec(&transaction)
        .await
        .unwrap();
    guildhall_data::Database::commit(transaction).await.unwrap();
    let message = community.say(&channel, "late").await;
    assert_eq!(
        Timestamp::from(message.create_time.unwrap()).as_millis(),
        ahead
    );
}

#[tokio::test]
async fn a_message_of_another_community_is_not_found() {
    let community = Community::new().await;
    let channel = community.channel(ChannelKind::Open).await;
    let id: MessageId = id_of(&community.say(&channel, "mine").await);
    let reader = community.database.reader();
    let foreign = community.other_community();
    let messages = guildhall_messaging::store::messages::find(reader, foreign, id)
        .await
        .unwrap();
    assert_eq!(messages, None);
}
