//! Lists of messages: complete, in order, and bounded.

use std::{collections::HashSet, sync::Arc};

use guildhall_data::{ChannelId, Database, MessageId, TopicId, UserId};
use guildhall_messaging::{
    domain::{ChannelKind, MessageKind},
    store::{
        listing::{self, Along, Direct, Direction, Filter, Listing, Range},
        messages::{self, Model},
        seek::{self, Key},
    },
};
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::fixture::{Community, item};

pub(super) fn listing(along: Along, direction: Direction) -> Listing {
    Listing {
        along,
        filter: Filter::default(),
        range: Range::ALL,
        direction,
        whole_moments: false,
    }
}

/// Follows a list to its end.
async fn all_pages(community: &Community, mut listing: Listing, size: usize) -> Vec<Model> {
    let mut messages = Vec::new();
    loop {
        let reader = community.database.reader();
        let page = listing::page(reader, community.id, &listing, size)
            .await
            .unwrap();
        assert!(page.messages.len() <= size);
        messages.extend(page.messages);
        let Some(next) = page.next else {
            return messages;
        };
        listing.range = listing.direction.after(next, listing.range);
    }
}

/// A message as it would have been stored.
pub(super) fn row(community: &Community, channel: ChannelId, seq: i64) -> Model {
    Model {
        community_id: community.id,
        id: MessageId::generate(),
        number: seq,
        channel_id: channel,
        seq,
        user_id: Some(UserId::generate()),
        topic_id: None,
        parent_id: None,
        parent_number: None,
        kind: MessageKind::Text,
        text: format!("message {seq}"),
        details: None,
        direct: false,
        encrypted: false,
        reply_count: 0,
        last_reply_at: None,
        created_at: seq,
        reacted: false,
    }
}

pub(super) async fn store(community: &Community, rows: Vec<Model>) {
    let transaction = community.database.begin().await.unwrap();
    for rows in rows.chunks(500) {
        let rows = rows.iter().cloned().map(Model::into_active_model);
        messages::Entity::insert_many(rows)
            .exec_without_returning(&transaction)
            .await
            .unwrap();
    }
    Database::commit(transaction).await.unwrap();
}

fn seqs(messages: &[Model]) -> Vec<i64> {
    messages.iter().map(|message| message.seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lose_and_repeat_nothing_while_others_write() {
    let community = Arc::new(Community::new().await);
    let channel = community.channel(ChannelKind::Open).await;
    let say = |n: i64| item(&channel, &format!("{n}"));
    futures::future::join_all((0..100).map(|n| community.post(say(n)))).await;
    let writer = tokio::spawn({
        let (community, channel) = (Arc::clone(&community), Arc::clone(&channel));
        async move {
            for n in 0..200 {
                community.say(&channel, &format!("meanwhile {n}")).await;
            }
        }
    });

    let along = Along::Channel(channel.id);
    let back = all_pages(&community, listing(along, Direction::NewestFirst), 7).await;
    let newest = back[0].seq;
    assert!(newest >= 100);
    assert_eq!(seqs(&back), (1..=newest).rev().collect::<Vec<_>>());

    writer.await.unwrap();
    let forth = all_pages(&community, listing(along, Direction::OldestFirst), 7).await;
    assert_eq!(seqs(&forth), (1..=300).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_list_contains_exactly_its_messages() {
    let community = Community::new().await;
    let (ann, bob) = (UserId::generate(), UserId::generate());
    let (open, forum, dm) = (
        ChannelId::generate(),
        ChannelId::generate(),
        ChannelId::generate(),
    );
    let (topic, first) = (TopicId::generate(), row(&community, open, 1));
    let parent = first.id;
    let by = |user, channel, seq, number| Model {
        user_id: Some(user),
        number,
        created_at: number,
        ..row(&community, channel, seq)
    };
    let rows = vec![
        Model {
            user_id: Some(ann),
            ..first
        },
        by(bob, open, 2, 2),
        Model {
            parent_id: Some(parent),
            ..by(bob, open, 3, 3)
        },
        Model {
            topic_id: Some(topic),
            ..by(ann, forum, 1, 4)
        },
        Model {
            topic_id: Some(TopicId::generate()),
            ..by(ann, forum, 2, 5)
        },
        Model {
            direct: true,
            ..by(ann, dm, 1, 6)
        },
        Model {
            direct: true,
            encrypted: true,
            ..by(ann, dm, 2, 7)
        },
        Model {
            encrypted: true,
            ..by(bob, open, 4, 8)
        },
    ];
    store(&community, rows).await;
    let in_open = Filter {
        channel: Some(open),
        ..Filter::default()
    };
    let key = Filter {
        channels: Some(Arc::new(HashSet::from([forum]))),
        ..Filter::default()
    };
    let encrypted = Filter {
        include_encrypted: true,
        ..Filter::default()
    };
    let top_level = Filter {
        top_level_only: true,
        ..Filter::default()
    };
    let bobs = Filter {
        user: Some(bob),
        ..Filter::default()
    };
    let none = Filter::default;
    let cases = [
        (Along::Channel(open), none(), vec![3, 2, 1]),
        (Along::Channel(open), encrypted.clone(), vec![8, 3, 2, 1]),
        (Along::Channel(open), top_level, vec![2, 1]),
        (Along::Parent(parent), none(), vec![3]),
        (Along::Parent(parent), bobs, vec![3]),
        (Along::Topic(topic), none(), vec![4]),
        (Along::Author(ann, Direct::Not), none(), vec![5, 4, 1]),
        (Along::Author(ann, Direct::Not), in_open, vec![1]),
        (
            Along::Author(ann, Direct::Only),
            encrypted.clone(),
            vec![7, 6],
        ),
        (Along::Community, none(), vec![5, 4, 3, 2, 1]),
        (Along::Community, encrypted, vec![8, 5, 4, 3, 2, 1]),
        (Along::Community, key, vec![5, 4]),
    ];
    for (along, filter, expected) in cases {
        for size in [1, 2, 10] {
            let list = Listing {
                filter: filter.clone(),
                ..listing(along, Direction::NewestFirst)
            };
            let numbers: Vec<_> = all_pages(&community, list, size)
                .await
                .iter()
                .map(|row| row.number)
                .collect();
            assert_eq!(numbers, expected, "{along:?} {filter:?} by {size}");
        }
    }
    let reader = community.database.reader();
    let list = listing(Along::Community, Direction::NewestFirst);
    let foreign = listing::page(reader, community.other_community(), &list, 10)
        .await
        .unwrap();
    assert!(foreign.messages.is_empty());
}

#[tokio::test]
async fn a_page_reads_a_bounded_number_of_rows_and_the_next_one_continues() {
    let community = Community::new().await;
    let (channel, ann) = (ChannelId::generate(), UserId::generate());
    let mut rows: Vec<_> = (1..=12_000)
        .map(|seq| row(&community, channel, seq))
        .collect();
    rows[0].user_id = Some(ann);
    store(&community, rows).await;
    let mut list = listing(Along::Channel(channel), Direction::NewestFirst);
    list.filter.user = Some(ann);

    let reader = community.database.reader();
    let first = listing::page(reader, community.id, &list, 10)
        .await
        .unwrap();
    assert!(
        first.messages.is_empty(),
        "the one message lies further back"
    );
    assert!(
        first.next.is_some(),
        "and the page says that there may be more"
    );
    assert_eq!(seqs(&all_pages(&community, list, 10).await), [1]);
}

#[tokio::test]
async fn times_and_numbers_are_found_wherever_they_lie() {
    let community = Community::new().await;
    let channel = ChannelId::generate();
    // Numbers have gaps, because other channels take some; some messages share a time.
    let rows: Vec<_> = (1..=200)
        .map(|seq| Model {
            number: seq * 3,
            created_at: 1_000 + (seq / 4) * 10,
            ..row(&community, channel, seq)
        })
        .collect();
    store(&community, rows.clone()).await;
    for (time, number) in (990..1_520).step_by(3).zip((-5..).step_by(4)) {
        for along in [Along::Channel(channel), Along::Community] {
            let found =
                |key| seek::first_not_before(community.database.reader(), community.id, along, key);
            let time_at = found(Key::Time(time)).await.unwrap();
            let number_at = found(Key::Number(number)).await.unwrap();
            for row in &rows {
                let position = along.position(row);
                assert_eq!(
                    position >= time_at,
                    row.created_at >= time,
                    "{along:?} {time}"
                );
                assert_eq!(
                    position >= number_at,
                    row.number >= number,
                    "{along:?} {number}"
                );
            }
        }
    }
    let missing = Along::Channel(ChannelId::generate());
    let reader = community.database.reader();
    let found = seek::first_not_before(reader, community.id, missing, Key::Time(5)).await;
    assert_eq!(found.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_continues_after_the_last_seq() {
    let community = Community::new().await;
    let channel = ChannelId::generate();
    store(
        &community,
        (1..=10).map(|seq| row(&community, channel, seq)).collect(),
    )
    .await;
    let reader = community.database.reader();
    let after = |seq| messages::list_after(reader, community.id, channel, seq, 4);
    assert_eq!(seqs(&after(0).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(seqs(&after(8).await.unwrap()), [9, 10]);
    assert!(after(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_is_read_by_index_is_the_row_that_was_stored() {
    let community = Community::new().await;
    let stored = Model {
        // No two columns of the same type have the same value.
        number: 11,
        seq: 12,
        topic_id: Some(TopicId::generate()),
        parent_id: Some(MessageId::generate()),
        parent_number: Some(13),
        kind: MessageKind::Admin,
        text: "text".into(),
        details: Some(vec![14]),
        direct: true,
        encrypted: false,
        reply_count: 15,
        last_reply_at: Some(16),
        created_at: 17,
        reacted: true,
        ..row(&community, ChannelId::generate(), 12)
    };
    let bare = Model {
        // Over both rows, the three flags differ.
        encrypted: true,
        reacted: true,
        ..row(&community, stored.channel_id, 18)
    };
    store(&community, vec![stored.clone(), bare.clone()]).await;
    let ids = vec![stored.id, bare.id];
    let mut read = messages::list_by_ids(community.database.reader(), community.id, ids)
        .await
        .unwrap();
    read.sort_by_key(|message| message.seq);
    assert_eq!(read, [stored, bare]);
}
