//! Whether the processes of a cluster receive each other's signals.

use std::time::{Duration, Instant};

use guildhall_testkit::{Cluster, cluster::Replica};
use tokio::time::sleep;

/// How long the processes may take to find each other.
const LONG: Duration = Duration::from_secs(30);

/// Waits until every process receives the signals of all others, by what it has logged last. One that
/// has just lost the broker says so within a second.
///
/// # Panics
/// When that takes longer than half a minute.
pub async fn is_whole(cluster: &Cluster) {
    let begin = Instant::now();
    for replica in cluster.replicas() {
        while !receives_all(replica) {
            let name = replica.name();
            assert!(begin.elapsed() < LONG, "{name} does not hear everybody");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// How often a process has logged that it does not receive everybody's signals.
#[must_use]
pub fn lapses(replica: &Replica) -> usize {
    let log = replica.log();
    coverages(&log)
        .filter(|coverage| !is_everywhere(coverage))
        .count()
}

fn receives_all(replica: &Replica) -> bool {
    let log = replica.log();
    coverages(&log).last().is_some_and(is_everywhere)
}

/// What a log says of the coverage, one after the other.
fn coverages(log: &str) -> impl Iterator<Item = &str> {
    let changes = log
        .lines()
        .filter_map(|line| line.split_once("\"coverage\":\""));
    changes.map(|(_, coverage)| coverage)
}

fn is_everywhere(coverage: &str) -> bool {
    coverage.starts_with("Everywhere")
}
