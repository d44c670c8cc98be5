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

/// Connections to each of several addresses.
const PER_ADDRESS: usize = 2;

/// Connections to a single address, which may stand for several replicas.
const ALONE: usize = 4;

/// How long a call waits for a connection.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many calls may wait for a connection.
const MAX_WAITING: usize = 1024;

/// The calls that wait for a connection.
#[derive(Default)]
pub(super) struct Waiters {
    /// Notified when a connection was made.
    pub opened: Notify,
    /// How many calls wait: connections are made with shorter pauses then.
    pub waiting: watch::Sender<usize>,
}

/// The connections to all replicas of a service; they end with it.
pub(super) struct Pool {
    connections: Vec<Arc<Connection>>,
    turn: AtomicUsize,
    waiters: Arc<Waiters>,
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
        let waiters = Arc::new(Waiters::default());
        let end = CancellationToken::new();
        // The replicas alternate, so that round robin spreads the calls over all of them.
        let connections: Vec<_> = (0..each)
            .flat_map(|turn| addresses.iter().enumerate().map(move |each| (turn, each)))
            .map(|(turn, (replica, address))| {
                let connection = Connection::new(address.clone(), replica, turn, tls.cloned());
                let connection = Arc::new(connection);
                let kept = Arc::clone(&connection).keep(Arc::clone(&waiters));
                let end = end.clone();
                tokio::spawn(async move { end.run_until_cancelled(kept).await });
                connection
            })
            .collect();
        Self {
            connections,
            turn: AtomicUsize::new(0),
            waiters,
            _alive: end.drop_guard(),
        }
    }

    /// Reserves room for a call on the least busy connection, preferably not to the replica that was
    /// `tried` last. Waits while no replica can be reached.
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
        let sessions =
            (0..count).filter_map(|next| self.connections[(turn + next) % count].session());
        // Of equally busy sessions the next one in round robin order is taken.
        let Some(session) =
            sessions.min_by_key(|session| (tried == Some(session.replica()), session.busy()))
        else {
            return Ok(None);
        };
        session
            .take()
            .map(Some)
            .ok_or_else(|| Error::unavailable(Reason::Overloaded, "Too many calls, try again"))
    }

    async fn wait(&self, tried: Option<usize>) -> Result<Call> {
        let _waiting = Waiting::join(&self.waiters).ok_or_else(unreachable)?;
        let call = async {
            loop {
                // Registered first, so that a connection made in between is not missed.
                let mut opened = std::pin::pin!(self.waiters.opened.notified());
                opened.as_mut().enable();
                if let Some(call) = self.open(tried)? {
                    return Ok(call);
                }
                opened.await;
            }
        };
        timeout(TIMEOUT, call)
            .await
            .unwrap_or_else(|_elapsed| Err(unreachable()))
    }
}

/// A call that waits for a connection; counted until it is dropped.
struct Waiting<'a>(&'a Waiters);

impl<'a> Waiting<'a> {
    fn join(waiters: &'a Waiters) -> Option<Self> {
        let joined = waiters.waiting.send_if_modified(|waiting| {
            let room = *waiting < MAX_WAITING;
            *waiting += usize::from(room);
            room
        });
        joined.then_some(Self(waiters))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}
