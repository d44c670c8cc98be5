//! Topics of forum channels.

use guildhall_data::{
    ChannelId, Database, PageRequest, Tenant as _, TopicId, UserId, page::Limits,
};
use guildhall_messaging::{
    domain::ChannelKind,
    store::topics::{self, Model},
};
use guildhall_runtime::{Reason, Result, Timestamp};

use crate::fixture::Community;

async fn open(
    community: &Community,
    channel: ChannelId,
    title: &str,
    closed: bool,
) -> Result<Model> {
    let topic = Model {
        community_id: community.id,
        id: TopicId::generate(),
        channel_id: channel,
        title: title.into(),
        description: String::new(),
        creator_id: UserId::generate(),
        closed,
        pinned: false,
        created_at: Timestamp::now().as_millis(),
    };
    let transaction = community.database.begin().await?;
    topics::Entity::insert_one(&transaction, &topic).await?;
    Database::commit(transaction).await?;
    Ok(topic)
}

#[tokio::test]
async fn a_title_is_unique_among_the_open_topics_of_a_channel() {
    let community = Community::new().await;
    let forum = community.channel(ChannelKind::Forum).await.id;
    let other = community.channel(ChannelKind::Forum).await.id;
    open(&community, forum, "Rust", true).await.unwrap();
    open(&community, forum, "Rust", false).await.unwrap();
    open(&community, other, "Rust", false).await.unwrap();
    let taken = open(&community, forum, "Rust", false).await.unwrap_err();
    assert_eq!(taken.reason(), Reason::AlreadyExists);
}

#[tokio::test]
async fn the_newest_topic_comes_first_on_every_page() {
    let community = Community::new().await;
    let forum = community.channel(ChannelKind::Forum).await.id;
    let mut opened = Vec::new();
    for n in 0..7 {
        opened.push(
            open(&community, forum, &format!("topic {n}"), false)
                .await
                .unwrap(),
        );
    }
    open(
        &community,
        community.channel(ChannelKind::Forum).await.id,
        "elsewhere",
        false,
    )
    .await
    .unwrap();
    opened.sort_by_key(|topic| std::cmp::Reverse((topic.created_at, topic.id)));
    let limits = Limits {
        default_size: 3,
        max_size: 3,
        max_skip: 0,
    };
    let (mut listed, mut token) = (Vec::new(), String::new());
    loop {
        let reader = community.database.reader();
        let page = PageRequest::parse(limits, 0, &token, 0).unwrap();
        let page = topics::list(reader, community.id, forum, &page)
            .await
            .unwrap();
        listed.extend(page.rows);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, opened);
}
