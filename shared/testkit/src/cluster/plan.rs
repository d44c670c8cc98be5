//! What a cluster consists of.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use guildhall_catalog::{self as catalog, Service};

use crate::Options;

/// The most replicas of a service that `make cluster` starts.
const MAX_REPLICAS: u8 = 8;

/// What a cluster consists of, and how it is started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many processes there are of each service and of the gateway.
    pub replicas: Replicas,
    /// Whether to make the demo community.
    pub demo: bool,
    /// Requests per second, credential and process; 0 is off.
    pub rate_limit: u32,
    /// Further flags of every process.
    pub args: Vec<String>,
    /// Further variables of every process.
    pub variables: Vec<(&'static str, String)>,
    /// Further flags of the gateways.
    pub gateway_args: Vec<String>,
    /// Whether webhooks reach receivers on this machine.
    pub private_receivers: bool,
    /// Further settings of PostgreSQL, e.g. `max_connections=20`.
    pub settings: Vec<String>,
    /// Whether NATS is there from the start.
    pub broker: bool,
    /// Whether each replica is reached, and reaches others, through proxies of its own.
    pub proxies: bool,
    /// Whether the services speak TLS, and ask callers for a certificate.
    pub tls: bool,
    /// Whether the first of each kind listens where it does by default, and not on a free port.
    pub default_ports: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            replicas: Replicas::default(),
            demo: true,
            rate_limit: 0,
            args: Vec::new(),
            variables: Vec::new(),
            gateway_args: Vec::new(),
            private_receivers: false,
            settings: Vec::new(),
            broker: true,
            proxies: false,
            tls: false,
            default_ports: false,
        }
    }
}

impl From<Options> for Plan {
    /// The same platform in the other shape; what its flags say, they say of its edge.
    fn from(options: Options) -> Self {
        Self {
            demo: options.demo,
            rate_limit: options.rate_limit,
            private_receivers: options.private_receivers,
            gateway_args: options.args,
            variables: options.variables,
            ..Self::default()
        }
    }
}

/// How many processes there are of each service and of the gateway: one, unless said otherwise.
#[derive(Debug, Clone, Default)]
pub struct Replicas(BTreeMap<&'static str, usize>);

impl Replicas {
    /// So many of each.
    #[must_use]
    pub fn of_each(count: usize) -> Self {
        Self(
            catalog::processes()
                .map(|kind| (kind.name, count))
                .collect(),
        )
    }

    /// So many of these.
    #[must_use]
    pub fn with(counts: &[(&'static Service, usize)]) -> Self {
        Self(
            counts
                .iter()
                .map(|(kind, count)| (kind.name, *count))
                .collect(),
        )
    }

    /// How many there are of one.
    #[must_use]
    pub fn of(&self, kind: &Service) -> usize {
        self.0.get(kind.name).copied().unwrap_or(1)
    }
}

/// A flag for each (`--messaging 2`).
impl Args for Replicas {
    fn augment_args(command: Command) -> Command {
        catalog::processes().fold(command, |command, kind| {
            command.arg(
                Arg::new(kind.name)
                    .long(kind.name)
                    .help(format!("Processes of {}", kind.name))
                    .default_value("1")
                    .value_parser(value_parser!(u8).range(1..=i64::from(MAX_REPLICAS))),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Replicas {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let count = |name| usize::from(*matches.get_one::<u8>(name).unwrap_or(&1));
        let kinds = catalog::processes();
        Ok(Self(
            kinds.map(|kind| (kind.name, count(kind.name))).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
