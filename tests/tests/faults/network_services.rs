//! A bad network between the services: calls that may be repeated are, unseen by their callers;
//! all others are answered right or "try again", and nothing is lost or doubled.

use std::time::{Duration, Instant};

use guildhall_catalog::{IDENTITY, MESSAGING};
use guildhall_testkit::{Cluster, Mode, Plan, Replicas, cluster::Replica};
use guildhall_tests::{
    Ledger, bus,
    figures::Records,
    memory::Memory,
    traffic::{EntryPoint, Room, Traffic},
};
use tokio::time::sleep;

/// A gateway's budget for a request, and what a busy machine adds to it.
const BUDGET: Duration = Duration::from_secs(15 + 1);
/// How long a line swallows everything: whoever waited for its end would wait for too long.
const OUTAGE: Duration = Duration::from_secs(20);
/// How long lines are slow: longer than it takes to give up a connection that is silent.
const SLOW: Duration = Duration::from_secs(8);
/// How long connections are reset: failures count for ten seconds against what may be repeated.
const RESETS: Duration = Duration::from_secs(12);
/// How long it may take afterwards until everything works again.
const RECOVERY: Duration = Duration::from_secs(10);
/// More than was sent to a replica while nobody reached it: it is asked again.
const IN_USE: usize = 1 << 20;
/// Right answers in a row with which a client counts as working again.
const WORKING: usize = 10;
/// A silent connection is given up after so long, and its calls are repeated elsewhere …
const SILENCE: Duration = Duration::from_secs(5);
/// … or a little later on a busy machine.
const NOTICED: Duration = Duration::from_secs(5 + 2);

async fn cluster(replicas: usize) -> Cluster {
    Cluster::start_with(Plan {
        replicas: Replicas::with(&[(MESSAGING, replicas)]),
        proxies: true,
        ..Plan::default()
    })
    .await
}

/// Writers and readers at the gateway, and writers at messaging itself, which asks identity.
async fn everybody(cluster: &Cluster) -> Traffic {
    let mut traffic = Traffic::in_room(&Room::open(cluster).await);
    let gateway = EntryPoint::gateway(cluster, 0);
    traffic.sends("sends", &gateway, 8);
    traffic.keyed_sends("keyed", &gateway, 8);
    traffic.reads("reads", &gateway, 8);
    traffic.sends("grpc", &EntryPoint::messaging(cluster, 0).await, 4);
    traffic.logins("logins", &cluster.rest(), &cluster.demo());
    traffic.is_steady(200).await;
    traffic
}

/// The entry points of identity and messaging: between the gateway and either, and messaging and identity.
fn entry_points(cluster: &Cluster) -> impl Iterator<Item = &Replica> {
    cluster[IDENTITY].iter().chain(&cluster[MESSAGING])
}

fn tell(what: &str, records: &Records, ways: &[&'static str]) {
    for via in ways {
        println!("{what}, {via}: {}", records.via(via).figures());
    }
}

#[tokio::test]
async fn slow_lines_between_all_services_break_nothing() {
    let cluster = cluster(1).await;
    let traffic = everybody(&cluster).await;
    let memory = Memory::of(&cluster);
    let delay = Duration::from_millis(200);
    for replica in entry_points(&cluster) {
        replica.proxies().inbound.set(Mode::Delay(delay));
    }
    let slow_from = Instant::now();
    sleep(SLOW).await;
    let slow_to = Instant::now();
    for replica in entry_points(&cluster) {
        replica.proxies().inbound.set(Mode::Pass);
    }
    traffic.goes_on(200).await;
    let records = traffic.end().await;
    let slow = records.during(slow_from, slow_to);
    tell(
        "200 ms each way",
        &slow,
        &["sends", "keyed", "reads", "grpc", "logins"],
    );
    let growth = memory.growth();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!("200 ms each way between the services: {outcome:?}; {growth}");
    records.expect_no_surprise();
    let slow = slow.figures();
    assert_eq!(slow.refused, 0, "slow is no reason to refuse");
    assert!(slow.longest >= 2 * delay, "it was slow");
    assert!(slow.longest < BUDGET);
}

#[tokio::test]
async fn connections_that_are_reset_are_not_noticed_by_who_reads() {
    let cluster = cluster(2).await;
    let traffic = everybody(&cluster).await;
    let memory = Memory::of(&cluster);
    let from = Instant::now();
    let mut resets = 0;
    while from.elapsed() < RESETS {
        for replica in entry_points(&cluster) {
            replica.proxies().inbound.reset_all();
            resets += 1;
            // A call is tried three times, and a tenth of the calls may be repeats: nobody is to be
            // unlucky all of them, and a reset interrupts up to twenty.
            traffic.goes_on(250).await;
        }
    }
    let to = Instant::now();
    traffic.goes_on(200).await;
    let records = traffic.end().await;
    let during = records.during(from, to);
    let what = format!("{resets} resets of all connections of a service");
    tell(
        &what,
        &during,
        &["sends", "keyed", "reads", "grpc", "logins"],
    );
    let growth = memory.growth();
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!("{what}: {outcome:?}; {growth}");
    records.expect_no_surprise();
    assert_eq!(during.via("reads").figures().refused, 0);
    assert_eq!(
        during.figures().in_flight,
        0,
        "the gateway's repeats are its own affair"
    );
    let sends = during.via("sends").figures();
    assert!(sends.refused > 0, "some were under way: {sends}");
    assert!(during.figures().longest < BUDGET);
}

#[tokio::test]
async fn a_replica_that_nobody_reaches_is_passed_over() {
    let cluster = cluster(2).await;
    let mut traffic = Traffic::in_room(&Room::open(&cluster).await);
    let gateway = EntryPoint::gateway(&cluster, 0);
    traffic.sends("sends", &gateway, 16);
    traffic.keyed_sends("keyed", &gateway, 8);
    traffic.reads("reads", &gateway, 8);
    traffic.is_steady(300).await;
    let memory = Memory::of(&cluster);
    let line = &cluster[MESSAGING][0].proxies().inbound;
    line.set(Mode::Blackhole);
    let cut_at = Instant::now();
    sleep(OUTAGE).await;
    let healed_at = Instant::now();
    line.set(Mode::Pass);
    // Nobody notices that it is asked again, either.
    line.carries(IN_USE).await;
    traffic.everybody_goes_on(WORKING).await;
    let records = traffic.end().await;

    let outage = records.during(cut_at, healed_at);
    tell(
        "messaging-0 unreachable",
        &outage,
        &["sends", "keyed", "reads"],
    );
    let later = records.begun(cut_at + NOTICED, healed_at).figures();
    let (growth, recovered_in) = (memory.growth(), records.recovered_in(healed_at));
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "messaging-0 unreachable, from the eighth second on: {later}; {outcome:?}; {growth}; \
         recovered in {recovered_in:.1?}"
    );
    records.expect_no_surprise();
    assert!(outage.figures().longest < NOTICED + Duration::from_secs(3));
    let reads = outage.via("reads").figures();
    assert_eq!(reads.refused, 0, "they are repeated elsewhere: {reads}");
    assert_eq!(later.refused, 0);
    assert!(later.longest < SILENCE, "all go to the other: {later}");
    assert_eq!(recovered_in, Duration::ZERO);
}

#[tokio::test]
async fn while_a_service_is_unreachable_its_callers_are_told_in_time() {
    let cluster = cluster(1).await;
    let mut traffic = everybody(&cluster).await;
    traffic.reads("direct reads", &EntryPoint::messaging(&cluster, 0).await, 4);
    let memory = Memory::of(&cluster);
    let lapses = bus::lapses(&cluster[MESSAGING][0]);
    for replica in entry_points(&cluster) {
        replica.proxies().inbound.set(Mode::Blackhole);
    }
    let cut_at = Instant::now();
    sleep(OUTAGE).await;
    let relies_on_bus = bus::lapses(&cluster[MESSAGING][0]) == lapses;
    let healed_at = Instant::now();
    for replica in entry_points(&cluster) {
        replica.proxies().inbound.set(Mode::Pass);
    }
    traffic.everybody_goes_on(WORKING).await;
    let records = traffic.end().await;

    let outage = records.during(cut_at, healed_at);
    let ways = ["sends", "keyed", "reads", "grpc", "direct reads", "logins"];
    tell("identity and messaging unreachable", &outage, &ways);
    let (growth, recovered_in) = (memory.growth(), records.recovered_in(healed_at));
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "identity and messaging unreachable: {outcome:?}; {growth}; recovered in \
         {recovered_in:.1?}"
    );
    records.expect_no_surprise();
    assert!(outage.figures().longest < BUDGET);
    let cut_off = records.within(cut_at, healed_at);
    for via in ["sends", "reads", "logins"] {
        let figures = cut_off.via(via).figures();
        assert!(
            figures.refused > 0 && figures.right == 0,
            "{via}: {figures}"
        );
    }
    // Messaging remembers who they are: for half a minute, and for a second where the machine is so
    // busy that the bus is not relied on.
    let right = outage.via("grpc").figures().right;
    assert!(right > if relies_on_bus { 100 } else { 0 }, "{right}");
    assert!(recovered_in < RECOVERY);
}
