//! A network that misbehaves when it is told to.

mod connection;
mod trigger;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use self::trigger::When;
use self::{connection::Connection, trigger::Triggers};

/// How long it may take until a line is used.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What happens to bytes and to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// They arrive so much later, in each direction.
    Delay(Duration),
    /// Nothing arrives: bytes and new connections wait until the mode changes.
    Blackhole,
    /// New connections are reset; bytes of the others pass.
    Refuse,
}

/// A TCP proxy in this process, on a port of its own. Dropping it closes its connections.
///
/// It holds at most 1 MiB per connection and direction; what comes beyond waits at its sender.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// What all connections look at.
#[derive(Debug)]
struct State {
    target: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Grows with every reset of all connections.
    resets: watch::Sender<u64>,
    triggers: Triggers,
    accepted: AtomicU64,
    /// Bytes that have arrived, both ways together.
    carried: watch::Sender<usize>,
}

impl Proxy {
    /// A proxy before `target` that lets everything pass.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            target,
            mode: watch::Sender::new(Mode::Pass),
            resets: watch::Sender::new(0),
            triggers: Triggers::default(),
            accepted: AtomicU64::new(0),
            carried: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Self {
            address,
            state,
            accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the mode, for open and new connections.
    pub fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
    }

    /// Resets every open connection (RST to both sides).
    pub fn reset_all(&self) {
        self.state.resets.send_modify(|count| *count += 1);
    }

    /// Resets the first connection whose client sends `pattern`, once (RST to both sides; only
    /// [`When::AfterForwarding`] ends the server's side in good order, so that it reads all).
    ///
    /// The future is ready when it has happened; it need not be awaited.
    ///
    /// # Panics
    /// For an empty pattern.
    pub fn reset_when(&self, pattern: &[u8], when: When) -> impl Future<Output = ()> + use<> {
        let happened = self.state.triggers.set(pattern, when);
        async { happened.await.expect("the proxy runs") }
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }

    /// Waits until so many more bytes have arrived, both ways together.
    ///
    /// # Panics
    /// When they have not within a minute.
    pub async fn carries(&self, bytes: usize) {
        let mut carried = self.state.carried.subscribe();
        let wanted = *carried.borrow() + bytes;
        let reached = carried.wait_for(|carried| *carried >= wanted);
        let reached = tokio::time::timeout(TIMEOUT, reached).await;
        reached.expect("the line is used").expect("the proxy runs");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                state.accepted.fetch_add(1, Ordering::Relaxed);
                // The reset of a moment later is meant for this connection, too.
                let resets = state.resets.subscribe();
                connections.spawn(serve(client, state.clone(), resets));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: TcpStream, state: Arc<State>, mut resets: watch::Receiver<u64>) {
    let connected = tokio::select! {
        connected = connect(&state) => connected,
        _ = resets.changed() => return,
    };
    match connected {
        Ok(server) => Connection::new(client, server).carry(&state, resets).await,
        Err(_) => {
            let _ = client.set_zero_linger();
        }
    }
}

async fn connect(state: &State) -> io::Result<TcpStream> {
    let mut mode = state.mode.subscribe();
    if *mode.borrow_and_update() == Mode::Refuse {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let open = mode.wait_for(|mode| *mode != Mode::Blackhole).await;
    let open = *open.map_err(io::Error::other)?;
    if let Mode::Delay(delay) = open {
        tokio::time::sleep(delay).await;
    }
    TcpStream::connect(state.target).await
}
