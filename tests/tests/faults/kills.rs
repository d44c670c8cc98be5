//! What was acknowledged is there after kill −9, once and in order, with its event: whoever is
//! killed, again and again, at random moments under load.

use std::time::Duration;

use guildhall_catalog::MESSAGING;
use guildhall_testkit::{Chance, Cluster, Plan, Platform, Rest, kills};
use guildhall_tests::{Acknowledged, Community, Ledger, Outcome, Writers, writer::Effort};
use serde_json::json;

const WRITERS: usize = 12;
/// Acknowledged messages since the last kill: all is at work again.
const AT_WORK: usize = 2 * WRITERS;
/// The moment of a kill is chosen out of so long a time.
const MOMENTS: Duration = Duration::from_millis(500);

/// Waits for a moment at which the writers are at work.
async fn a_moment_at_work(writers: &mut Writers, chance: &mut Chance) {
    writers.progress(AT_WORK).await;
    tokio::time::sleep(chance.moment(MOMENTS)).await;
}

/// After a kill, PostgreSQL flushes each of its files, or all that the system holds at once.
fn quick_to_recover() -> Plan {
    let all_at_once = cfg!(target_os = "linux").then(|| "recovery_init_sync_method=syncfs".into());
    Plan {
        settings: all_at_once.into_iter().collect(),
        ..Plan::default()
    }
}

/// Makes two channels that nobody else writes to.
async fn two_channels(rest: &Rest, system_key: &str) -> Vec<String> {
    let mut channels = Vec::new();
    for topic in ["First", "Second"] {
        let body = json!({ "topic": topic, "channelType": "open" });
        let call = rest.post("/v1/channels").system_key(system_key);
        let made = call.json(&body).send().await.expect(200);
        channels.push(made["body"]["_id"].as_str().unwrap().to_owned());
    }
    channels
}

/// Checks all that is stored, and prints the figures.
fn check(killed: &str, ledger: &Ledger, channels: &[String], work: (Vec<Acknowledged>, Effort)) {
    let (acknowledged, effort) = work;
    let outcome = ledger.outcome(channels, &acknowledged);
    println!(
        "kills of {killed}: kills {}, acknowledged {}, lost {}, doubled {}, \
         unacknowledged but stored {}, repeated {}, of these stored at the first try {}, \
         longest outage seen by a writer {:?}",
        kills(),
        acknowledged.len(),
        outcome.lost,
        outcome.doubled,
        outcome.unacknowledged,
        effort.repeated,
        effort.replayed,
        effort.longest,
    );
    assert_eq!(outcome, Outcome::CLEAN);
    ledger.assert_sound();
    // The gateway repeats keyed sends itself, so that a writer may see nothing but a replay.
    assert!(effort.repeated + effort.replayed > 0, "no kill was noticed");
}

#[tokio::test]
async fn of_the_one_process() {
    let mut chance = Chance::seeded("kills of the one process");
    let mut community = Community::around(Platform::start().await).await;
    let key = &community.demo.api_key;
    let channels = two_channels(&community.rest, &community.demo.system_api_key).await;
    let mut writers = Writers::start(WRITERS, community.platform.http(), key, &channels);
    for _ in 0..kills() {
        a_moment_at_work(&mut writers, &mut chance).await;
        community.platform = community.platform.kill_and_restart().await;
        writers.move_to(community.platform.http());
    }
    writers.progress(AT_WORK).await;
    let work = writers.finish().await;
    let ledger = Ledger::of_files(&community.platform.data_dir()).await;
    check("the one process", &ledger, &channels, work);
}

#[tokio::test]
async fn of_messaging() {
    let mut chance = Chance::seeded("kills of messaging");
    let mut cluster = Cluster::start().await;
    let demo = cluster.demo();
    let channels = two_channels(&cluster.rest(), &demo.system_api_key).await;
    let mut writers = Writers::start(WRITERS, cluster.http(), &demo.api_key, &channels);
    for _ in 0..kills() {
        a_moment_at_work(&mut writers, &mut chance).await;
        cluster[MESSAGING][0].kill9().await;
        cluster[MESSAGING][0].start().await;
    }
    writers.progress(AT_WORK).await;
    let work = writers.finish().await;
    check("messaging", &Ledger::of(&cluster).await, &channels, work);
}

#[tokio::test]
async fn of_postgresql() {
    let mut chance = Chance::seeded("kills of PostgreSQL");
    let mut cluster = Cluster::start_with(quick_to_recover()).await;
    let demo = cluster.demo();
    let channels = two_channels(&cluster.rest(), &demo.system_api_key).await;
    let mut writers = Writers::start(WRITERS, cluster.http(), &demo.api_key, &channels);
    for _ in 0..kills() {
        a_moment_at_work(&mut writers, &mut chance).await;
        cluster.postgres.kill9().await;
        cluster.postgres.start_again().await;
    }
    writers.progress(AT_WORK).await;
    let work = writers.finish().await;
    check("PostgreSQL", &Ledger::of(&cluster).await, &channels, work);
}
