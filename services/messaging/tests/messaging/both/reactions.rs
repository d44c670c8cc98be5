//! Reactions: idempotent, counted and bounded, also when many react at the same time.

use std::sync::Arc;

use futures::future::join_all;
use guildhall_data::{Database, MessageId, UserId};
use guildhall_messaging::{
    domain::{ChannelKind, Emoji},
    store::reactions::{self, MAX_EMOJIS, MAX_USERS, MessageReactions, Reaction},
};
use guildhall_runtime::{Reason, Result};

use crate::fixture::{Community, id_of};

struct Fixture {
    community: Community,
    message: MessageId,
}

impl Fixture {
    async fn new() -> Arc<Self> {
        let community = Community::new().await;
        let channel = community.channel(ChannelKind::Open).await;
        let message = id_of(&community.say(&channel, "well?").await);
        Arc::new(Self { community, message })
    }

    fn reaction(&self, user: UserId, emoji: &str) -> Reaction {
        Reaction {
            community: self.community.id,
            message: self.message,
            emoji: Emoji::parse(emoji).unwrap(),
            user,
        }
    }

    /// Reacts; returns whether that changed anything.
    async fn add(&self, user: UserId, emoji: &str) -> Result<bool> {
        let transaction = self.community.database.begin().await?;
        let added = reactions::insert(&transaction, &self.reaction(user, emoji)).await?;
        Database::commit(transaction).await?;
        Ok(added.is_some())
    }

    async fn remove(&self, user: UserId, emoji: &str) -> bool {
        let transaction = self.community.database.begin().await.unwrap();
        let reaction = self.reaction(user, emoji);
        let removed = reactions::remove(&transaction, &reaction).await.unwrap();
        Database::commit(transaction).await.unwrap();
        removed
    }

    /// Each emoji with its count and the users who are named.
    async fn all(&self) -> Vec<(String, i64, Vec<UserId>)> {
        let reader = self.community.database.reader();
        let all = MessageReactions::with_users(reader, self.community.id, self.message)
            .await
            .unwrap();
        all.into_iter()
            .map(|(row, users)| (row.emoji, row.count, users))
            .collect()
    }

    async fn emojis(&self) -> Vec<(String, i64)> {
        self.all()
            .await
            .into_iter()
            .map(|(emoji, count, _)| (emoji, count))
            .collect()
    }
}

#[tokio::test]
async fn a_repeated_reaction_counts_once_in_any_spelling() {
    let fixture = Fixture::new().await;
    let ann = UserId::generate();
    assert!(fixture.add(ann, ":sparkling_heart:").await.unwrap());
    assert!(!fixture.add(ann, "💖").await.unwrap());
    assert!(
        fixture
            .add(UserId::generate(), "sparkling_heart")
            .await
            .unwrap()
    );
    assert_eq!(fixture.emojis().await, [("💖".to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_reactions_of_a_member_count_once() {
    let fixture = Fixture::new().await;
    let users: Vec<_> = (0..30).map(|_| UserId::generate()).collect();
    let attempts = users.iter().chain(&users).map(|user| {
        let (fixture, user) = (Arc::clone(&fixture), *user);
        tokio::spawn(async move { fixture.add(user, "+1").await.unwrap() })
    });
    let added = join_all(attempts)
        .await
        .into_iter()
        .filter(|added| *added.as_ref().unwrap());
    assert_eq!(added.count(), 30);
    assert_eq!(fixture.emojis().await, [("👍".to_owned(), 30)]);

    let attempts = users.iter().chain(&users).take(40).map(|user| {
        let (fixture, user) = (Arc::clone(&fixture), *user);
        tokio::spawn(async move { fixture.remove(user, "+1").await })
    });
    let removed = join_all(attempts)
        .await
        .into_iter()
        .filter(|removed| *removed.as_ref().unwrap());
    assert_eq!(removed.count(), 30);
    assert!(fixture.all().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_takes_twenty_emojis_and_more_of_the_same() {
    let fixture = Fixture::new().await;
    let attempts = join_all((0..30).map(|n| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { fixture.add(UserId::generate(), &format!("key{n}")).await })
    }))
    .await;
    let mut refused = 0;
    for attempt in attempts {
        if let Err(error) = attempt.unwrap() {
            assert_eq!(error.reason(), Reason::TooManyReactions);
            refused += 1;
        }
    }
    assert_eq!(refused, 10);
    let emojis = fixture.emojis().await;
    assert_eq!(emojis.len(), MAX_EMOJIS);
    assert!(fixture.add(UserId::generate(), &emojis[0].0).await.unwrap());

    let last = &emojis[MAX_EMOJIS - 1].0;
    let (_, _, users) = fixture.all().await.pop().unwrap();
    assert!(fixture.remove(users[0], last).await);
    assert!(fixture.add(UserId::generate(), "one_more").await.unwrap());
}

#[tokio::test]
async fn emojis_come_in_the_order_of_their_first_use() {
    let fixture = Fixture::new().await;
    let (ann, bob) = (UserId::generate(), UserId::generate());
    for (user, emoji) in [(ann, "zzz"), (ann, "+1"), (bob, "apple"), (bob, "zzz")] {
        fixture.add(user, emoji).await.unwrap();
    }
    let names = |all: Vec<(String, i64)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(fixture.emojis().await), ["💤", "👍", "🍎"]);
    assert!(fixture.remove(ann, "+1").await);
    fixture.add(ann, "+1").await.unwrap();
    assert_eq!(names(fixture.emojis().await), ["💤", "🍎", "👍"]);
}

#[tokio::test]
async fn the_first_hundred_members_are_named() {
    let fixture = Fixture::new().await;
    let mut users = Vec::new();
    for _ in 0..MAX_USERS + 20 {
        let user = UserId::generate();
        fixture.add(user, "+1").await.unwrap();
        users.push(user);
    }
    fixture.add(users[0], "heart").await.unwrap();
    let all = fixture.all().await;
    assert_eq!(all.len(), 2);
    let (_, count, named) = &all[0];
    assert_eq!((*count, named.len() as u64), (120, MAX_USERS));
    // Reactions within one millisecond are ordered by the ids of their members.
    let (first, last) = (&users[..90], &users[119]);
    assert!(first.iter().all(|user| named.contains(user)) && !named.contains(last));
    assert_eq!(all[1].2, [users[0]]);
}

#[tokio::test]
async fn a_missing_message_takes_no_reactions() {
    let fixture = Fixture::new().await;
    let missing = Reaction {
        message: MessageId::generate(),
        ..fixture.reaction(UserId::generate(), "+1")
    };
    let transaction = fixture.community.database.begin().await.unwrap();
    let refused = reactions::insert(&transaction, &missing).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::MessageNotFound);
    drop(transaction);
    assert!(!fixture.remove(UserId::generate(), "+1").await);
}

#[tokio::test]
async fn the_answer_names_the_member_whose_reaction_it_answers() {
    let fixture = Fixture::new().await;
    let (ann, bob) = (UserId::generate(), UserId::generate());
    fixture.add(bob, "+1").await.unwrap();
    let reader = fixture.community.database.reader();
    let named = || MessageReactions::with_users(reader, fixture.community.id, fixture.message);
    let reaction = fixture.reaction(ann, "+1");
    let users = |all: MessageReactions| {
        all.into_iter()
            .map(|(row, users)| (row.count, users))
            .collect::<Vec<_>>()
    };

    let before = named().await.unwrap();
    let transaction = fixture.community.database.begin().await.unwrap();
    reactions::insert(&transaction, &reaction).await.unwrap();
    let after = before.after(&transaction, &reaction, true).await.unwrap();
    Database::commit(transaction).await.unwrap();
    assert_eq!(users(after), [(2, vec![bob, ann])]);

    let before = named().await.unwrap();
    let transaction = fixture.community.database.begin().await.unwrap();
    reactions::remove(&transaction, &reaction).await.unwrap();
    let after = before.after(&transaction, &reaction, false).await.unwrap();
    Database::commit(transaction).await.unwrap();
    assert_eq!(users(after), [(1, vec![bob])]);
}

#[tokio::test]
async fn keys_of_the_version_before_are_one_with_those_of_their_emoji() {
    let fixture = Fixture::new().await;
    let [ann, bob, eve] = [(); 3].map(|()| UserId::generate());
    fixture.add(ann, "tada").await.unwrap();
    fixture.add(bob, "party_parrot").await.unwrap();
    // As they were stored: each spelling for itself.
    for (position, (emoji, user)) in [
        ("Party_Parrot", ann),
        ("Party_Parrot", bob),
        ("cafe\u{301}", eve),
        ("PARTY_parrot", eve),
    ]
    .into_iter()
    .enumerate()
    {
        let (community, message) = (fixture.community.id, fixture.message);
        fixture.community.sql(&format!(
            "INSERT INTO reactions VALUES ('{community}', '{message}', '{emoji}', '{user}', {position})"
        )).await;
        fixture.community.sql(&format!(
            "INSERT INTO reaction_counts VALUES ('{community}', '{message}', '{emoji}', 1, {position} - 9, {position}) \
             ON CONFLICT (community_id, message_id, emoji) DO UPDATE SET count = reaction_counts.count + 1"
        )).await;
    }
    // Before the migration, and beside older replicas.
    assert!(
        !fixture.add(eve, "caf\u{e9}").await.unwrap(),
        "it is there in another spelling"
    );
    assert!(fixture.remove(eve, "caf\u{e9}").await);
    assert!(!fixture.remove(eve, "caf\u{e9}").await);
    assert!(fixture.add(eve, "cafe\u{301}").await.unwrap());

    fixture
        .community
        .migrate_again("m0008_rekey_reactions")
        .await;
    let all: Vec<_> = fixture
        .all()
        .await
        .into_iter()
        .map(|(emoji, count, users)| (emoji, count, users.len()))
        .collect();
    let expected = [("party_parrot", 3, 3), ("🎉", 1, 1), ("caf\u{e9}", 1, 1)];
    assert_eq!(
        all,
        expected.map(|(emoji, count, users)| (emoji.to_owned(), count, users))
    );
    for user in [ann, bob, eve] {
        assert!(fixture.remove(user, ":Party_Parrot:").await);
    }
    assert_eq!(fixture.emojis().await.len(), 2);
}
