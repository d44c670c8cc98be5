//! The memory of an idle platform.

use std::{fs, time::Duration};

use guildhall_catalog as catalog;
use guildhall_testkit::{Options, Platform};
use tokio::time::{Instant, sleep};

/// What a process takes before any service, MiB: the gateway, the protos, the pools of threads.
const PROCESS: u64 = 12;

/// What each service adds, MiB: its connections, caches and queues. A new service adds its line.
const SERVICES: &[(&str, u64)] = &[("identity", 4), ("messaging", 4), ("webhooks", 4)];

/// The allocator gives back what the start needed only some ten seconds later.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Memory that belongs to a process alone, MiB. Its binary is not in it: that is shared, and many
/// times as large in a debug build.
fn anonymous(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn an_idle_platform_takes_little_memory() {
    let platform = Platform::start_with(Options {
        demo: false,
        ..Options::default()
    });
    let platform = platform.await;
    let named: Vec<_> = SERVICES.iter().map(|(name, _)| *name).collect();
    let services: Vec<_> = catalog::SERVICES.iter().map(|it| it.name).collect();
    assert_eq!(named, services, "each service has a line in SERVICES");
    let bound = PROCESS + SERVICES.iter().map(|(_, takes)| takes).sum::<u64>();
    let (started, mut takes) = (Instant::now(), anonymous(platform.pid()));
    while takes > bound {
        assert!(started.elapsed() < TIMEOUT, "{takes} of {bound} MiB");
        sleep(Duration::from_secs(1)).await;
        takes = anonymous(platform.pid());
    }
}
