//! The flags that all processes share, each also a variable (`--nats-url`, `GUILDHALL_NATS_URL`).

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use guildhall_auth::RateLimit;
use guildhall_catalog::Service;
use guildhall_runtime::{
    Error, Result,
    serve::{ConnectionLimits, Serving},
    tls::TlsFiles,
};
use guildhall_signals::{BrokerKeys, BusSettings, Retention};
use rustls::ServerConfig;

/// What every process of a cluster is told.
#[derive(Debug, Args)]
pub struct ProcessSettings {
    /// File with the platform's secret, the same for all its processes: 64 hexadecimal characters
    /// (`umask 077; openssl rand -hex 32 > FILE`), which no other user of the machine may read.
    #[arg(long, env = "GUILDHALL_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: PathBuf,

    /// The NATS servers over which processes tell each other what changed, separated by commas.
    #[arg(
        long,
        env = "GUILDHALL_NATS_URL",
        hide_env_values = true,
        value_delimiter = ',',
        required = true,
        value_name = "URL"
    )]
    pub nats_url: Vec<String>,

    /// How this process serves.
    #[command(flatten)]
    pub serve: ServeSettings,

    /// What is logged, e.g. `warn` or `info,guildhall_messaging=debug`.
    #[arg(
        long,
        env = "GUILDHALL_LOG",
        default_value = "info,sea_orm_migration=warn,sqlx=error,async_nats=off,rustls_platform_verifier=off",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// How a process serves.
#[derive(Debug, Args)]
pub struct ServeSettings {
    /// Requests per second and credential, twice that at once; 0 switches the limit off.
    #[arg(
        long,
        env = "GUILDHALL_RATE_LIMIT",
        default_value_t = 100,
        value_name = "N"
    )]
    pub rate_limit: u32,

    /// Seconds for which a process that was told to stop still takes new connections, while it
    /// says that it is not ready; a second signal ends the wait.
    #[arg(
        long,
        env = "GUILDHALL_DRAIN_DELAY",
        default_value_t = 0,
        value_name = "SECONDS"
    )]
    pub drain_delay: u64,

    /// Connections from clients at a time, of all listeners together; fewer where the process may
    /// not open that many files. Beyond them only probes are answered.
    #[arg(
        long,
        env = "GUILDHALL_MAX_CONNECTIONS",
        default_value_t = 10_000,
        value_parser = at_least_one,
        value_name = "N"
    )]
    pub max_connections: usize,

    /// Connections at a time from one address (IPv6: one network of 64 bits); half of
    /// --max-connections without it. Behind a single proxy, give it the same number.
    #[arg(long, env = "GUILDHALL_MAX_CONNECTIONS_PER_ADDRESS", value_parser = at_least_one, value_name = "N")]
    pub max_connections_per_address: Option<usize>,

    /// Where Prometheus reads metrics (GET /metrics), an address that only operators reach; port 0
    /// takes a free one. Without it they are not served.
    #[arg(long, env = "GUILDHALL_METRICS", value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,

    /// Let callers from outside decide, with the header `traceparent`, whether their requests are
    /// traced, as parts of their own traces: for callers that are all trusted. Without it
    /// OTEL_TRACES_SAMPLER decides, and a trace is linked to the caller's.
    #[arg(
        long,
        env = "GUILDHALL_TRUST_TRACEPARENT",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub trust_traceparent: bool,

    /// On how many servers of NATS each stream of events is kept: 1, 3 or 5.
    #[arg(
        long,
        env = "GUILDHALL_NATS_REPLICAS",
        default_value_t = 1,
        value_parser = stream_replicas,
        value_name = "N"
    )]
    pub nats_replicas: usize,

    /// Bytes that each stream of events may take on a server of NATS, at least 16777216 (16 MiB); NATS
    /// sets them aside. What does not fit waits in the database. The same in all processes.
    #[arg(
        long,
        env = "GUILDHALL_NATS_STREAM_MAX_BYTES",
        default_value_t = 1 << 30,
        value_parser = clap::value_parser!(i64).range(16 << 20..),
        value_name = "BYTES"
    )]
    pub nats_stream_max_bytes: i64,

    /// Hours for which events are kept once everybody has them, 1 to 744: what a stream that was
    /// lost gets again. The same in all processes.
    #[arg(
        long,
        env = "GUILDHALL_EVENT_RETENTION",
        default_value_t,
        value_name = "HOURS"
    )]
    pub event_retention: Retention,

    /// PEM file with this process's certificate, and those that lead to its authority.
    #[arg(long, env = "GUILDHALL_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key of --tls-cert.
    #[arg(long, env = "GUILDHALL_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// PEM file with the authority that the other processes' certificates must come from. With it,
    /// callers of gRPC must present one (mTLS); without it, the system's authorities are trusted.
    #[arg(long, env = "GUILDHALL_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
}

impl ServeSettings {
    /// The limit of requests.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::per_second(self.rate_limit)
    }

    /// How a process of `service` is on the bus at `urls`, on a platform with this secret.
    ///
    /// # Errors
    /// Never in practice: only when no key can be derived from the secret.
    pub fn bus(&self, service: &Service, urls: &[String], secret: &[u8]) -> Result<BusSettings> {
        Ok(BusSettings {
            keys: BrokerKeys::derive(secret)?,
            stream_max_bytes: self.nats_stream_max_bytes,
            urls: urls.to_vec(),
            tls_ca: self.tls_ca.clone(),
            stream_replicas: self.nats_replicas,
            retention: self.event_retention,
            service: service.name,
            listens_to: service.signals_from,
        })
    }

    /// How the listener `name` of the process serves, one of `listeners`.
    #[must_use]
    pub fn serving(
        &self,
        name: &'static str,
        tls: Option<Arc<ServerConfig>>,
        listeners: usize,
    ) -> Serving {
        let limits = ConnectionLimits::of(self.max_connections, self.max_connections_per_address);
        Serving {
            name,
            tls,
            drain_delay: Duration::from_secs(self.drain_delay),
            limits: limits.shared_by(listeners),
            ..Serving::default()
        }
    }

    /// How gRPC is served: over TLS when there is a certificate.
    ///
    /// # Errors
    /// When a file cannot be used, or an authority is given alone: callers would be asked for
    /// nothing, and nobody would notice.
    pub fn server_tls(&self) -> Result<Option<Arc<ServerConfig>>> {
        if self.tls_ca.is_some() && self.tls_cert.is_none() {
            return Err(Error::bug(
                "--tls-ca alone would serve gRPC in plain text: give --tls-cert and --tls-key, too",
            ));
        }
        self.tls().server()
    }

    /// The files of TLS.
    #[must_use]
    pub fn tls(&self) -> TlsFiles {
        TlsFiles {
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            ca: self.tls_ca.clone(),
        }
    }
}

/// A process without connections serves nobody.
fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "must be a number from 1".to_owned())
}

/// NATS stores by majority: an even number of servers survives no more losses than one less.
fn stream_replicas(text: &str) -> Result<usize, String> {
    let replicas = text.parse().ok();
    let replicas = replicas.filter(|replicas| [1, 3, 5].contains(replicas));
    replicas.ok_or_else(|| "must be 1, 3 or 5".to_owned())
}
