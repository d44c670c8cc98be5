//! The connection to the broker: NATS.

use std::{
    fmt,
    future::{Ready, ready},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use async_nats::{ConnectOptions, Event, ServerAddr};
use guildhall_runtime::{Error, Result, metrics::Counter};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use crate::{BrokerKeys, Retention};

/// How often an idle connection is tried; the third ping without an answer ends it.
const PING: Duration = Duration::from_secs(1);
/// How long the broker may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How often the log says that the broker cannot be reached.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// The first pause before another attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The pause after a connection that is made once: longer than anybody keeps using it.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Commands to the connection, and messages from it, that may wait: more are dropped and missed.
const WAITING: usize = 4096;

/// Which bus a process is on, and which services it listens to.
#[derive(Clone)]
pub struct BusSettings {
    /// Addresses of the broker's servers, `nats://` or `tls://`; a user with a password, or a
    /// token alone, stands before the `@`, and is the same in all of them.
    pub urls: Vec<String>,
    /// The authority of a `tls://` broker's certificate, in PEM; without it the system's are
    /// trusted.
    pub tls_ca: Option<PathBuf>,
    /// The service as which this process publishes: lowercase letters and dashes.
    pub service: &'static str,
    /// On how many servers of the broker each stream of events is kept.
    pub stream_replicas: usize,
    /// Bytes that each stream takes on a server at most; what does not fit waits in the outbox.
    pub stream_max_bytes: i64,
    /// How long events stay in the streams, and in the outboxes behind them.
    pub retention: Retention,
    /// The services whose signals this process acts on. Of each one but its own, a process must be
    /// present for caches to be trusted.
    pub listens_to: &'static [&'static str],
    /// Sign what this process publishes, and tell what others of its platform have.
    pub keys: BrokerKeys,
}

impl fmt::Debug for BusSettings {
    /// Without the addresses: they hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusSettings")
            .field("service", &self.service)
            .field("listens_to", &self.listens_to)
            .finish_non_exhaustive()
    }
}

/// How and where to connect.
pub struct Broker {
    /// How to connect.
    pub options: ConnectOptions,
    /// Where, free of credentials: the client writes addresses into its log.
    pub servers: Vec<ServerAddr>,
}

impl Broker {
    /// Reads the settings of a process with this random `name`, for a connection that is made again
    /// and again; `connects` counts them.
    ///
    /// # Errors
    /// INVALID_VALUE, which does not repeat the address.
    pub(crate) fn new(settings: &BusSettings, name: &str, connects: Counter) -> Result<Self> {
        let mut broker = Self::of(settings, connects)?;
        broker.options = broker
            .options
            .retry_on_initial_connect()
            .reconnect_delay_callback(pauses(name));
        Ok(broker)
    }

    /// The same for a connection that is made once. When it ends, whoever has it makes another.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn once(settings: &BusSettings) -> Result<Self> {
        let mut broker = Self::of(settings, Counter::default())?;
        let attempts = broker.servers.len();
        let made = AtomicUsize::new(0);
        broker.options = broker.options.reconnect_delay_callback(move |_| {
            // Each server is tried at once; by the end of the pause nobody has the connection.
            match made.fetch_add(1, Ordering::Relaxed) < attempts {
                true => Duration::ZERO,
                false => GIVEN_UP,
            }
        });
        Ok(broker)
    }

    fn of(settings: &BusSettings, connects: Counter) -> Result<Self> {
        let mut options = ConnectOptions::new()
            .name(format!("guildhall {}", settings.service))
            .connection_timeout(CONNECT)
            .ping_interval(PING)
            .client_capacity(WAITING)
            .subscription_capacity(WAITING)
            .event_callback(log_connection(connects));
        if let Some(authority) = &settings.tls_ca {
            options = options.add_root_certificates(authority.clone());
        }
        let mut servers = Vec::with_capacity(settings.urls.len());
        for url in &settings.urls {
            let address: ServerAddr = url.parse().map_err(|_| no_address())?;
            if !is_address(&address) {
                return Err(no_address());
            }
            options = with_credentials(options, &address)?;
            servers.push(without_credentials(address)?);
        }
        if servers.is_empty() {
            return Err(no_address());
        }
        Ok(Self { options, servers })
    }
}

/// Logs what becomes of the connection; of failures that go on, one every ten seconds.
fn log_connection(connects: Counter) -> impl Fn(Event) -> Ready<()> + Send + Sync + 'static {
    let warned_at: Mutex<Option<Instant>> = Mutex::default();
    move |event| {
        let mut warned_at = warned_at.lock();
        match event {
            Event::Connected => {
                *warned_at = None;
                connects.inc();
                tracing::info!("connected to the broker");
            }
            Event::LameDuckMode | Event::Draining | Event::Closed => {
                tracing::info!(%event, "the broker is going away");
            }
            Event::Disconnected
            | Event::SlowConsumer(_)
            | Event::ServerError(_)
            | Event::ClientError(_)
                if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) =>
            {
                *warned_at = Some(Instant::now());
                tracing::warn!(%event, "trouble with the broker: is --nats-url right, and is it there?");
            }
            Event::Disconnected
            | Event::SlowConsumer(_)
            | Event::ServerError(_)
            | Event::ClientError(_) => {}
        }
        ready(())
    }
}

fn with_credentials(options: ConnectOptions, address: &ServerAddr) -> Result<ConnectOptions> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(String::from).map_err(|_| no_address())
    };
    Ok(match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            options.user_and_password(decoded(user)?, decoded(password)?)
        }
        (Some(token), None) => options.token(decoded(token)?),
        (None, _) => options,
    })
}

fn without_credentials(address: ServerAddr) -> Result<ServerAddr> {
    let mut url = address.into_inner();
    url.set_username("").map_err(|()| no_address())?;
    url.set_password(None).map_err(|()| no_address())?;
    ServerAddr::from_url(url).map_err(|_| no_address())
}

/// Whether it is nothing but scheme, credentials, host and port: what follows a `#` or a `/` would
/// be a part of a password that was not escaped.
fn is_address(address: &ServerAddr) -> bool {
    let url = address.clone().into_inner();
    matches!(url.scheme(), "nats" | "tls")
        && !address.host().is_empty()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
}

fn no_address() -> Error {
    Error::invalid(
        "nats_url",
        "--nats-url must be nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ or TOKEN@ before the host where the broker asks for it",
    )
}

/// Growing pauses, of another length in each process, so that a broker that comes back is not
/// overrun.
fn pauses(name: &str) -> impl Fn(usize) -> Duration + Send + Sync + 'static {
    let sum: u32 = name.bytes().map(u32::from).sum();
    // Half to one and a half times the pause.
    let percent = 50 + sum % 101;
    move |attempt| {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = match doublings {
            // The very first attempt waits for nothing.
            0 => Duration::ZERO,
            1..=5 => FIRST_PAUSE * 2_u32.pow(doublings - 1),
            6.. => LONGEST_PAUSE,
        };
        pause * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(urls: &[&str]) -> BusSettings {
        BusSettings {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            tls_ca: None,
            service: "identity",
            stream_replicas: 1,
            stream_max_bytes: 1 << 30,
            keys: BrokerKeys::derive(b"secret").unwrap(),
            retention: Retention::default(),
            listens_to: &["identity"],
        }
    }

    #[test]
    fn credentials_do_not_stay_in_the_addresses() {
        let settings = settings(&["nats://ann:s%40cret@127.0.0.1:4222", "nats://host"]);
        let broker = Broker::new(&settings, "a", Counter::default()).unwrap();
        assert!(!format!("{:?} {settings:?}", broker.servers).contains("cret"));
        assert_eq!(broker.servers[0].host(), "127.0.0.1");
        assert_eq!(broker.servers[1].port(), 4222);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for url in [
            "http://ann:secret@host",
            "nats://ann:secret@",
            "nats://ann:secret@host:port",
        ] {
            let refused = Broker::new(&settings(&[url]), "a", Counter::default())
                .err()
                .unwrap();
            assert!(!refused.with_causes().contains("secret"), "{url}");
        }
        assert!(Broker::new(&settings(&[]), "a", Counter::default()).is_err());
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let pause = pauses("some process");
        assert_eq!(pause(1), Duration::ZERO);
        assert!(pause(2) < pause(3) && pause(3) < pause(6));
        assert!(pause(8) <= LONGEST_PAUSE * 3 / 2);
        assert_eq!(pause(8), pause(usize::MAX));
    }
}
