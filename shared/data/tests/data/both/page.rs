//! Lists in pages, by one column and by two.

use guildhall_data::{CommunityId, Database, Page, PageRequest, Resource, Tenant, TopicId, page};
use guildhall_runtime::Result;
use sea_orm::Order;

use crate::notes::{Column, Entity, Model, fresh, insert, note};

const LIMITS: page::Limits = page::Limits {
    default_size: 2,
    max_size: 3,
    max_skip: 5,
};
const BY_AGE: [Column; 2] = [Column::CreatedAt, Column::Id];

type ByAge = (i64, TopicId);

/// Five notes of which two are of the same moment, in their order.
async fn five(database: &Database, community: CommunityId) -> Vec<Model> {
    let moments = [10, 20, 20, 30, 40];
    let notes = moments.map(|at| note(community, "a note", at));
    let foreign = note(CommunityId::generate(), "foreign", 25);
    insert(database, &[notes.as_slice(), &[foreign]].concat()).await;
    let mut notes = notes.to_vec();
    notes.sort_by_key(|note| (note.created_at, note.id));
    notes
}

async fn read(
    database: &Database,
    community: CommunityId,
    (size, token, skip): (i32, &str, i32),
    order: &Order,
) -> Result<Page<Model>> {
    let request = PageRequest::<ByAge>::parse(LIMITS, size, token, skip)?;
    let query = request.select(Entity::within(community), &BY_AGE, order);
    let rows = query.all(database.reader()).await.unwrap();
    Ok(request.cut(rows, |note| (note.created_at, note.id)))
}

#[tokio::test]
async fn pages_hold_every_row_once_in_both_orders() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    let mut notes = five(&database, community).await;
    for order in [Order::Asc, Order::Desc] {
        for size in 1..=3 {
            let (mut seen, mut token) = (Vec::new(), String::new());
            for _ in 0..6 {
                let page = read(&database, community, (size, &token, 0), &order);
                let page = page.await.unwrap();
                assert!(page.rows.len() <= size as usize);
                seen.extend(page.rows);
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, notes, "{order:?}, {size} a page");
        }
        notes.reverse();
    }
}

#[tokio::test]
async fn what_comes_or_goes_meanwhile_repeats_and_hides_no_other() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    let notes = five(&database, community).await;
    let page = read(&database, community, (3, "", 0), &Order::Asc);
    let page = page.await.unwrap();
    assert_eq!(page.rows, notes[..3]);
    let early = note(community, "early", 1);
    insert(&database, &[early]).await;
    let rest = read(
        &database,
        community,
        (3, &page.next_page_token, 0),
        &Order::Asc,
    );
    let rest = rest.await.unwrap();
    assert_eq!(rest.rows, notes[3..]);
    assert_eq!(rest.next_page_token, "", "the last page has no next");
}

#[tokio::test]
async fn a_request_says_size_and_skip_within_bounds() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    let notes = five(&database, community).await;
    for (size, skip, expected) in [
        (0, 0, &notes[..2]),
        (100, 0, &notes[..3]),
        (2, 1, &notes[1..3]),
        (2, 4, &notes[4..]),
        (2, 5, &[]),
    ] {
        let page = read(&database, community, (size, "", skip), &Order::Asc);
        assert_eq!(page.await.unwrap().rows, expected, "{size}, {skip}");
    }
    for (size, token, skip, field) in [
        (-1, "", 0, "page_size"),
        (1, "", -1, "skip"),
        (1, "", 6, "skip"),
        (1, "nonsense", 0, "page_token"),
        (1, &page::encode(&"a text"), 0, "page_token"),
        (1, &page::encode(&(1, "no id")), 0, "page_token"),
    ] {
        let refused = read(&database, community, (size, token, skip), &Order::Asc);
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.violations()[0].field, field);
    }
}

#[tokio::test]
async fn rows_are_counted_up_to_a_bound() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    five(&database, community).await;
    for (most, expected) in [(3, 3), (5, 5), (100, 5)] {
        let query = Entity::within(community);
        let counted = page::count(database.reader(), query, Column::Id, most).await;
        assert_eq!(counted.unwrap(), expected);
    }
}

#[tokio::test]
async fn the_rows_of_a_resource_are_listed_by_their_ids() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    let mut notes = five(&database, community).await;
    notes.sort_by_key(|note| note.id);
    let list = async |token: &str| {
        let page = PageRequest::parse(LIMITS, 3, token, 0).unwrap();
        let page = Entity::list(database.reader(), community, &page).await;
        page.unwrap()
    };
    let first = list("").await;
    assert_eq!(first.rows, notes[..3]);
    let rest = list(&first.next_page_token).await;
    assert_eq!(
        (rest.rows, rest.next_page_token),
        (notes[3..].to_vec(), String::new())
    );
}
