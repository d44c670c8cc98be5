//! The connections to all replicas of a service, and which of them a call takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    address::Address,
    attempt::unreachable,
    connection::{Call, Connection},
};
use crate::{Error, Reason, Result};

/// Connections to each address; to one that stands for many replicas, see [`ALONE`].
const PER_ADDRESS: usize = 2;

/// Connections to the only address.
const ALONE: usize = 4;

/// How long a call waits for a replica to be reached.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many calls may wait for that.
const MAX_WAITING: usize = 1024;

/// What the pool and its connections tell each other.
#[derive(Default)]
pub(super) struct Bell {
    /// A connection was made.
    pub opened: Notify,
    /// How many calls wait for one.
    pub waiting: watch::Sender<usize>,
}

/// The connections to all replicas of a service; they end with it.
pub(super) struct Pool {
    connections: Vec<Arc<Connection>>,
    turn: AtomicUsize,
    bell: Arc<Bell>,
    _alive: DropGuard,
}

impl Pool {
    /// Starts to connect to `addresses`.
    pub fn new(addresses: &[Address], tls: Option<&Arc<ClientConfig>>) -> Self {
        let each = if addresses.len() == 1 {
            ALONE
        } else {
            PER_ADDRESS
        };
        let bell = Arc::new(Bell::default());
        let end = CancellationToken::new();
        // The replicas alternate, so that taking turns spreads the calls over all of them.
        let connections: Vec<_> = (0..each)
            .flat_map(|turn| addresses.iter().enumerate().map(move |each| (turn, each)))
            .map(|(turn, (replica, address))| {
                let connection = Connection::new(address.clone(), replica, turn, tls.cloned());
                let connection = Arc::new(connection);
                let kept = Arc::clone(&connection).keep(Arc::clone(&bell));
                let end = end.clone();
                tokio::spawn(async move { end.run_until_cancelled(kept).await });
                connection
            })
            .collect();
        Self {
            connections,
            turn: AtomicUsize::new(0),
            bell,
            _alive: end.drop_guard(),
        }
    }

    /// Room for a call on the least busy connection, if possible not to the replica that was `tried`
    /// last. Waits when none can be reached for now.
    ///
    /// # Errors
    /// OVERLOADED when all connections are full, UNREACHABLE when no replica can be reached in time.
    pub async fn call(&self, tried: Option<usize>) -> Result<Call> {
        match self.open(tried)? {
            Some(call) => Ok(call),
            None => self.wait(tried).await,
        }
    }

    fn open(&self, tried: Option<usize>) -> Result<Option<Call>> {
        let count = self.connections.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let lines = (0..count).filter_map(|next| self.connections[(turn + next) % count].line());
        // Of equally busy lines the first in turn is taken.
        let Some(line) = lines.min_by_key(|line| (tried == Some(line.replica()), line.busy()))
        else {
            return Ok(None);
        };
        line.take()
            .map(Some)
            .ok_or_else(|| Error::unavailable(Reason::Overloaded, "Too many calls, try again"))
    }

    async fn wait(&self, tried: Option<usize>) -> Result<Call> {
        let _waiting = Waiting::join(&self.bell).ok_or_else(unreachable)?;
        let call = async {
            loop {
                // Listens first, so that a connection made between look and wait is not missed.
                let mut opened = std::pin::pin!(self.bell.opened.notified());
                opened.as_mut().enable();
                if let Some(call) = self.open(tried)? {
                    return Ok(call);
                }
                opened.await;
            }
        };
        timeout(PATIENCE, call)
            .await
            .unwrap_or_else(|_elapsed| Err(unreachable()))
    }
}

/// One of the calls that wait for a connection; counted until it is dropped.
struct Waiting<'a>(&'a Bell);

impl<'a> Waiting<'a> {
    fn join(bell: &'a Bell) -> Option<Self> {
        let joined = bell.waiting.send_if_modified(|waiting| {
            let room = *waiting < MAX_WAITING;
            *waiting += usize::from(room);
            room
        });
        joined.then_some(Self(bell))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}
