//! How much memory the processes of a cluster take while something goes wrong.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use guildhall_testkit::Cluster;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(250);

/// Growth that a test of some seconds may cause, MiB: pools, caches and what is under way.
const BOUND: u64 = 64;

/// Watches the memory of all processes of a cluster, from now on.
#[derive(Debug)]
pub struct Memory {
    processes: Arc<Mutex<Vec<Process>>>,
    watching: JoinHandle<()>,
}

#[derive(Debug)]
struct Process {
    name: String,
    pid: u32,
    before: u64,
    most: u64,
}

impl Memory {
    /// Starts to watch.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let processes = cluster.replicas().map(|replica| {
            let pid = replica.pid();
            let before = resident(pid).expect("it runs");
            Process {
                name: replica.name().to_owned(),
                pid,
                before,
                most: before,
            }
        });
        let processes = Arc::new(Mutex::new(processes.collect::<Vec<_>>()));
        let watched = Arc::clone(&processes);
        let watching = tokio::spawn(async move {
            loop {
                for process in watched.lock().expect("no panic").iter_mut() {
                    let now = resident(process.pid).unwrap_or_default();
                    process.most = process.most.max(now);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self {
            processes,
            watching,
        }
    }

    /// What each process took before and at most, MiB; the growth is bounded, and all still run.
    ///
    /// # Panics
    /// When it is not so.
    #[must_use]
    pub fn growth(&self) -> String {
        self.watching.abort();
        let processes = self.processes.lock().expect("no panic");
        let growth = processes.iter().map(|process| {
            let name = &process.name;
            assert!(resident(process.pid).is_some(), "{name} has ended");
            let (before, most) = (process.before / 1024, process.most / 1024);
            assert!(most - before < BOUND, "{name}: {before} to {most} MiB");
            format!("{name} {before} to {most} MiB")
        });
        growth.collect::<Vec<_>>().join(", ")
    }
}

/// Memory of a process, KiB; none when it has ended.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
