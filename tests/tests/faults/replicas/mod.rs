//! Two of each service on one database: nobody who writes, reads or listens can tell.

mod fixture;
mod keys;
mod listener;
mod reader;
mod start;

use futures::future::try_join_all;
use guildhall_testkit::{Cluster, Plan, Replicas};
use guildhall_tests::{Ledger, Outcome};
use tokio::{sync::watch, task::JoinSet};

use self::{
    fixture::{EACH, Fixture},
    listener::Listener,
    reader::{List, Reader},
};

const REPLICAS: usize = 2;
const WRITERS: usize = 12;

fn plan(replicas: usize) -> Plan {
    Plan {
        replicas: Replicas::of_each(replicas),
        ..Plan::default()
    }
}

#[tokio::test]
async fn readers_and_listeners_miss_nothing_and_get_nothing_twice() {
    let cluster = Cluster::start_with(plan(REPLICAS)).await;
    let fixture = Fixture::of(&cluster).await;
    let mut listeners = Vec::new();
    for messages in &fixture.grpc {
        for channel in &fixture.channels {
            listeners.push(Listener::start(&fixture, messages.clone(), channel).await);
        }
    }
    let (over, is_over) = watch::channel(false);
    let mut readers = JoinSet::new();
    let lists = [
        List::Channel(fixture.channels[0].clone()),
        List::Author("ada"),
        List::Community,
    ];
    for list in lists {
        for oldest_first in [false, true] {
            let reader = Reader {
                fixture: fixture.clone(),
                list: list.clone(),
                oldest_first,
            };
            readers.spawn(reader.run(is_over.clone()));
        }
    }
    let entry_points = fixture.entry_points();
    let writers = (0..WRITERS).map(|name| {
        let entry_point = entry_points[name % entry_points.len()].clone();
        tokio::spawn(fixture.clone().write(name, entry_point))
    });
    let acknowledged = try_join_all(writers).await.unwrap().concat();
    over.send_replace(true);
    let mut passes = 0;
    while let Some(read) = readers.join_next().await {
        passes += read.unwrap();
    }

    let ledger = Ledger::of(&cluster).await;
    let streams = listeners.len();
    for listener in listeners {
        listener.check(&ledger).await;
    }
    println!(
        "replicas: written {}, lists read to their end {passes}, live streams {streams}, \
         lost 0, repeated 0",
        acknowledged.len()
    );
    assert_eq!(acknowledged.len(), WRITERS * EACH);
    let outcome = ledger.outcome(&fixture.channels, &acknowledged);
    assert_eq!(outcome, Outcome::CLEAN);
    ledger.assert_sound();
}
