//! The flags of a service as a process of its own, each also a variable.

use std::net::SocketAddr;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use guildhall_data::{PostgresServer, Storage};
use guildhall_runtime::Result;
use guildhall_server::{Calls, PeerUrls, ProcessSettings};

use crate::Service;

const GRPC: &str = "grpc";

/// Which PostgreSQL server a service keeps its database on.
#[derive(Debug, Args)]
pub struct DatabaseSettings {
    /// The PostgreSQL server: postgres://user:password@host:port/prefix. Each service has a
    /// database of its own, <prefix>_<service>, made when it is not there.
    #[arg(
        long,
        env = "GUILDHALL_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: String,
}

impl DatabaseSettings {
    /// Where the service keeps its data.
    ///
    /// # Errors
    /// With what is wrong about the URL. It is read here and not by clap, which would show it, and
    /// it may hold a password.
    pub fn storage(&self) -> Result<Storage> {
        PostgresServer::parse(&self.database_url).map(Storage::Postgres)
    }
}

/// What the process of a service is told.
pub(crate) struct Flags<S: Service> {
    pub grpc: SocketAddr,
    pub peers: PeerUrls<PeersOf<S>>,
    pub own: S::Settings,
    pub database: DatabaseSettings,
    pub process: ProcessSettings,
}

/// The services that `S` calls.
pub(crate) struct PeersOf<S>(std::marker::PhantomData<fn() -> S>);

impl<S: Service> Calls for PeersOf<S> {
    const SERVICES: &'static [&'static guildhall_catalog::Service] = S::ENTRY.peers;
}

impl<S: Service> Flags<S> {
    /// Reads the arguments and variables of this process; ends it when they are wrong.
    pub(crate) fn parse() -> Self {
        let matches = Self::command().get_matches();
        Self::from_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    fn command() -> Command {
        let command = Command::new(S::ENTRY.binary())
            .version(env!("CARGO_PKG_VERSION"))
            .arg(
                Arg::new(GRPC)
                    .long(GRPC)
                    .env("GUILDHALL_GRPC")
                    .help("Where gRPC is served; port 0 takes a free one")
                    .default_value(format!("127.0.0.1:{}", S::ENTRY.port))
                    .value_name("ADDRESS")
                    .value_parser(value_parser!(SocketAddr)),
            );
        let command = PeerUrls::<PeersOf<S>>::augment_args(command);
        let command = S::Settings::augment_args(command);
        let command = DatabaseSettings::augment_args(command);
        // Last: each of the above describes the command as itself.
        ProcessSettings::augment_args(command).about(S::ENTRY.about)
    }

    fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument);
        Ok(Self {
            // It has a default.
            grpc: *matches.get_one(GRPC).ok_or_else(missing)?,
            peers: PeerUrls::from_arg_matches(matches)?,
            own: S::Settings::from_arg_matches(matches)?,
            database: DatabaseSettings::from_arg_matches(matches)?,
            process: ProcessSettings::from_arg_matches(matches)?,
        })
    }
}
