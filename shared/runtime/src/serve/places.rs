//! How many connections there may be.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::network;

/// Connections beyond the limits, which are there for probes alone. One more ends the oldest.
const FOR_PROBES: usize = 32;
/// Of the files that a process may have open, the share that is for connections of clients. The
/// others are for databases, for other services and for receivers.
const SHARE: (u64, u64) = (3, 4);

/// How many connections a listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total: usize,
    /// From one address; an IPv6 network of 64 bits counts as one.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::of(10_000, None)
    }
}

impl ConnectionLimits {
    /// `total`, or fewer if the process may not open that many files, and from one address half of
    /// that unless `per_address` says otherwise.
    ///
    /// Asks the system for as many open files as it grants.
    #[must_use]
    pub fn of(total: usize, per_address: Option<usize>) -> Self {
        let files = open_files().map(|files| files / SHARE.1 * SHARE.0);
        let files = files.and_then(|files| usize::try_from(files).ok());
        let total = files.map_or(total, |files| files.min(total)).max(1);
        Self {
            total,
            per_address: per_address.unwrap_or(total.div_ceil(2)).clamp(1, total),
        }
    }

    /// The limits of each of `listeners` that share them.
    #[must_use]
    pub fn shared_by(self, listeners: usize) -> Self {
        let each = |limit: usize| (limit / listeners.max(1)).max(1);
        Self {
            total: each(self.total),
            per_address: each(self.per_address),
        }
    }
}

/// How many files the process may have open, after asking for as many as it may ask for.
fn open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // What it may not have, it does without.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current
}

/// The connections of a listener.
pub(super) struct Places {
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
    probes: VecDeque<AbortHandle>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Places {
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            open: Arc::default(),
            probes: VecDeque::with_capacity(FOR_PROBES),
        }
    }

    /// A place for a connection, unless there are too many.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut open = self.open.lock();
        let of_address = open.by_address.get(&address).copied().unwrap_or_default();
        if open.total >= self.limits.total || of_address >= self.limits.per_address {
            return None;
        }
        open.total += 1;
        open.by_address.insert(address, of_address + 1);
        Some(Place {
            address,
            open: Arc::clone(&self.open),
        })
    }

    /// Keeps a connection for probes until as many newer ones have come.
    pub fn keep_for_probes(&mut self, connection: AbortHandle) {
        self.probes.retain(|probe| !probe.is_finished());
        if self.probes.len() == FOR_PROBES
            && let Some(oldest) = self.probes.pop_front()
        {
            oldest.abort();
        }
        self.probes.push_back(connection);
    }
}

/// The place of a connection, until dropped.
pub(super) struct Place {
    address: IpAddr,
    open: Arc<Mutex<Open>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        open.total -= 1;
        if let Some(of_address) = open.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(total: usize, per_address: usize) -> Places {
        Places::new(ConnectionLimits { total, per_address })
    }

    fn take(places: &Places, address: &str) -> Option<Place> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_share_and_all_have_the_total() {
        let places = places(4, 2);
        let mut held = vec![take(&places, "192.0.2.1"), take(&places, "192.0.2.1")];
        assert!(take(&places, "::ffff:192.0.2.1").is_none(), "the same");
        held.push(take(&places, "2001:db8::1"));
        held.push(take(&places, "2001:db8::ffff:2"));
        assert!(held.iter().all(Option::is_some));
        assert!(take(&places, "192.0.2.9").is_none(), "there are four");
        held.remove(0);
        assert!(take(&places, "2001:db8::3").is_none(), "one network");
        assert!(take(&places, "192.0.2.9").is_some());
        held.clear();
        assert!(places.open.lock().by_address.is_empty());
    }

    #[test]
    fn limits_are_never_zero_and_never_more_than_the_files() {
        let limits = ConnectionLimits::of(usize::MAX, None);
        assert!(limits.total < usize::MAX && limits.per_address <= limits.total);
        let least = ConnectionLimits::of(0, Some(0)).shared_by(2);
        assert_eq!((least.total, least.per_address), (1, 1));
    }
}
