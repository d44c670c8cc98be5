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

fn receives_all(replica: &Replica) -> bool {
    let log = replica.log();
    let mut changes = log
        .lines()
        .filter_map(|line| line.split_once("\"coverage\":\""));
    changes
        .next_back()
        .is_some_and(|(_, coverage)| coverage.starts_with("Everywhere"))
}
