//! Pages that end with a whole moment.

use guildhall_data::ChannelId;
use guildhall_messaging::store::{
    listing::{self, Along, Direction, Listing},
    messages::Model,
};

use super::listing::{listing, row, store};
use crate::fixture::Community;

#[tokio::test]
async fn a_page_can_end_with_a_whole_moment_in_either_direction() {
    let community = Community::new().await;
    let channel = ChannelId::generate();
    let rows = (1..=30).map(|seq| Model {
        created_at: 1_000 + seq / 7,
        ..row(&community, channel, seq)
    });
    store(&community, rows.collect()).await;
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let list = Listing {
            whole_moments: true,
            ..listing(Along::Channel(channel), direction)
        };
        for size in [1, 2, 7, 10, 30, 40] {
            let (mut range, mut read) = (list.range, Vec::new());
            loop {
                let (reader, list) = (
                    community.database.reader(),
                    Listing {
                        range,
                        ..list.clone()
                    },
                );
                let page = listing::page(reader, community.id, &list, size)
                    .await
                    .unwrap();
                let Some(next) = page.next else {
                    read.extend(page.messages);
                    break;
                };
                assert!(page.messages.len() >= size);
                read.extend(page.messages);
                range = direction.after(next, range);
                // Nothing beyond this page has the time of its last message.
                let (reader, rest) = (
                    community.database.reader(),
                    Listing {
                        range,
                        ..list.clone()
                    },
                );
                let rest = listing::page(reader, community.id, &rest, 1).await.unwrap();
                let last = read.last().unwrap();
                assert_ne!(rest.messages[0].created_at, last.created_at);
            }
            assert_eq!(read.len(), 30, "{direction:?} by {size}");
        }
    }
}

#[tokio::test]
async fn a_moment_that_never_ends_does_not_make_a_page_endless() {
    let community = Community::new().await;
    let channel = ChannelId::generate();
    let rows = (1..=1_500).map(|seq| Model {
        created_at: 1_000,
        ..row(&community, channel, seq)
    });
    store(&community, rows.collect()).await;
    let list = Listing {
        whole_moments: true,
        ..listing(Along::Channel(channel), Direction::NewestFirst)
    };
    let reader = community.database.reader();
    let page = listing::page(reader, community.id, &list, 10)
        .await
        .unwrap();
    assert_eq!(page.messages.len(), 1_010);
    assert!(page.next.is_some());
}
