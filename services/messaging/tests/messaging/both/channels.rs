//! Lists of channels, and unique urls.

use std::collections::HashSet;

use guildhall_data::{ChannelId, Page, UserId, page::Limits};
use guildhall_messaging::{
    domain::ChannelKind,
    store::channels::{self, ByAge, Direct, Record, Scope},
};
use guildhall_runtime::Reason;

use crate::fixture::Community;

const ALL: Scope<'_> = Scope {
    kind: None,
    direct: Direct::None,
    only: None,
};

async fn page(community: &Community, scope: Scope<'_>, size: i32, token: &str) -> Page<Record> {
    const LIMITS: Limits = Limits {
        default_size: 2,
        max_size: 100,
        max_skip: 0,
    };
    let page = ByAge::parse(LIMITS, size, token, 0).unwrap();
    let reader = community.database.reader();
    let listed = channels::list(reader, community.id, scope, &page).await;
    listed.unwrap()
}

/// Lists all pages of two.
async fn list(community: &Community, scope: Scope<'_>) -> Vec<ChannelId> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let page = page(community, scope, 2, &token).await;
        ids.extend(page.rows.iter().map(|record| record.channel.id));
        token = page.next_page_token;
        if token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test]
async fn every_caller_lists_the_channels_they_may_read_page_by_page() {
    let community = Community::new().await;
    let (ann, bob, eve) = (UserId::generate(), UserId::generate(), UserId::generate());
    let mut shared = HashSet::new();
    let mut forums = HashSet::new();
    for kind in [
        ChannelKind::Open,
        ChannelKind::Forum,
        ChannelKind::Announcement,
    ]
    .repeat(2)
    {
        let id = community.channel(kind).await.id;
        shared.insert(id);
        if kind == ChannelKind::Forum {
            forums.insert(id);
        }
    }
    let between_ann_and_bob = community.dm(&[ann, bob]).await.id;
    let between_ann_and_eve = community.dm(&[ann, eve]).await.id;

    let with = |dms: &[ChannelId]| shared.iter().chain(dms).copied().collect::<HashSet<_>>();
    let both = [between_ann_and_bob, between_ann_and_eve];
    let cases = [
        (Direct::None, shared.clone()),
        (Direct::Of(ann), with(&both)),
        (Direct::Of(bob), with(&both[..1])),
        (Direct::All, with(&both)),
    ];
    for (direct, expected) in cases {
        let listed = list(&community, Scope { direct, ..ALL }).await;
        assert_eq!(listed.len(), expected.len(), "{direct:?}: none twice");
        assert_eq!(
            listed.into_iter().collect::<HashSet<_>>(),
            expected,
            "{direct:?}"
        );
    }
    let only_forums = Scope {
        kind: Some(ChannelKind::Forum),
        direct: Direct::All,
        only: None,
    };
    assert_eq!(
        list(&community, only_forums)
            .await
            .into_iter()
            .collect::<HashSet<_>>(),
        forums
    );
    let limit = HashSet::from([between_ann_and_bob, ChannelId::generate()]);
    let limited = Scope {
        kind: None,
        direct: Direct::Of(ann),
        only: Some(&limit),
    };
    assert_eq!(list(&community, limited).await, [between_ann_and_bob]);
}

#[tokio::test]
async fn a_limit_hides_no_direct_messages_behind_a_page_of_others() {
    let community = Community::new().await;
    let ann = UserId::generate();
    for _ in 0..3 {
        community.dm(&[ann, UserId::generate()]).await;
    }
    let allowed = community.dm(&[ann, UserId::generate()]).await.id;
    let limited = Scope {
        kind: None,
        direct: Direct::Of(ann),
        only: Some(&HashSet::from([allowed])),
    };
    assert_eq!(list(&community, limited).await, [allowed]);
}

#[tokio::test]
async fn the_oldest_channel_comes_first() {
    let community = Community::new().await;
    for kind in [
        ChannelKind::Forum,
        ChannelKind::Open,
        ChannelKind::Announcement,
    ]
    .repeat(3)
    {
        community.channel(kind).await;
    }
    let all = page(&community, ALL, 100, "").await.rows;
    let ages: Vec<_> = all.iter().map(|record| record.channel.created_at).collect();
    assert!(ages.is_sorted());
    assert_eq!(ages.len(), 9);
}

#[tokio::test]
async fn a_url_is_unique_in_a_community() {
    let community = Community::new().await;
    let first = community
        .channel_of(ChannelKind::Open, Vec::new(), Some("lounge"))
        .await
        .unwrap();
    let taken = community
        .channel_of(ChannelKind::Open, Vec::new(), Some("lounge"))
        .await
        .unwrap_err();
    assert_eq!(taken.reason(), Reason::AlreadyExists);
    let reader = community.database.reader();
    let found = channels::find_id_by_url(reader, community.id, "lounge")
        .await
        .unwrap();
    assert_eq!(found, Some(first.id));
    let foreign = channels::find_id_by_url(reader, community.other_community(), "lounge")
        .await
        .unwrap();
    assert_eq!(foreign, None);
}

#[tokio::test]
async fn members_are_read_with_their_channel() {
    let community = Community::new().await;
    let (ann, bob) = (UserId::generate(), UserId::generate());
    let dm = community.dm(&[ann, bob]).await;
    let record = channels::find(community.database.reader(), community.id, dm.id)
        .await
        .unwrap();
    let record = record.unwrap();
    assert_eq!(
        record.participants.iter().copied().collect::<HashSet<_>>(),
        dm.participants
    );
    assert!(record.announcers.is_empty());
    let foreign = channels::find(
        community.database.reader(),
        community.other_community(),
        dm.id,
    )
    .await;
    assert_eq!(foreign.unwrap(), None);
}
