//! Flags and variables of one name; `--help` is the documentation.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use guildhall_catalog::{SERVICES, Service};
use guildhall_data::{EventId, KeyId};
use guildhall_runtime::peer::Address;
use guildhall_server::{Calls, PeerUrls, ServeSettings};

use crate::services::ServiceSettings;

/// Guildhall: messaging for communities, behind REST and gRPC, in one process.
///
/// Without a command it serves until Ctrl-C. All data lies in --data-dir, or in PostgreSQL with
/// --database-url.
#[derive(Debug, Parser)]
#[command(version, subcommand_negates_reqs = true)]
pub struct Settings {
    /// Where REST is served; port 0 takes a free one.
    #[arg(long, env = "GUILDHALL_HTTP", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,

    /// Where gRPC is served; port 0 takes a free one.
    #[arg(long, env = "GUILDHALL_GRPC", default_value = "127.0.0.1:50051")]
    pub grpc: SocketAddr,

    /// Where the databases and the secret key lie; made when it is not there.
    #[arg(
        long,
        env = "GUILDHALL_DATA_DIR",
        default_value = ".guildhall",
        global = true
    )]
    pub data_dir: PathBuf,

    /// Keep the data in PostgreSQL instead: postgres://user:password@host:port/prefix. Each service
    /// has a database of its own, <prefix>_<service>, made when it is not there.
    #[arg(
        long,
        env = "GUILDHALL_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub database_url: Option<String>,

    /// The NATS servers, separated by commas, over which several processes on one --database-url
    /// tell each other what changed.
    #[arg(
        long,
        env = "GUILDHALL_NATS_URL",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "URL",
        global = true
    )]
    pub nats_url: Vec<String>,

    /// File with the platform's secret: 64 hexadecimal characters, which no other user of the machine
    /// may read (`umask 077; openssl rand -hex 32 > FILE`), the same for all processes on one
    /// --database-url. [default: <data-dir>/secret.key, made once]
    #[arg(
        long,
        env = "GUILDHALL_SECRET_KEY_FILE",
        value_name = "FILE",
        global = true
    )]
    pub secret_key_file: Option<PathBuf>,

    /// How the process serves.
    #[command(flatten)]
    pub serve: ServeSettings,

    /// Make a community to try things out with, once, and write its credentials to
    /// <data-dir>/demo.json.
    #[arg(long, env = "GUILDHALL_DEMO", value_parser = clap::builder::FalseyValueParser::new())]
    pub demo: bool,

    /// About the gateway.
    #[command(flatten)]
    pub gateway: guildhall_gateway::Settings,

    /// About single services.
    #[command(flatten)]
    pub services: ServiceSettings,

    /// What is logged, e.g. `warn` or `info,guildhall_messaging=debug`.
    #[arg(
        long,
        env = "GUILDHALL_LOG",
        default_value = "info,sea_orm_migration=warn,sqlx=error,async_nats=off,rustls_platform_verifier=off",
        global = true
    )]
    pub log: String,

    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What an operator does; each command works beside a running platform, too.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a community, its owner and its keys, and print them once.
    Bootstrap(Bootstrap),
    /// The keys that JWTs are signed with.
    #[command(subcommand)]
    Keys(Keys),
    /// The JWTs of users.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Tokens of the Sendbird facade.
    #[command(subcommand)]
    SendbirdToken(SendbirdToken),
    /// Events that a service could not handle.
    #[command(subcommand)]
    Events(Events),
    /// Workflows, by which other systems tell of events.
    #[command(subcommand)]
    Workflow(Workflow),
    /// Make the demo community in a running cluster, as --demo does in one process.
    Demo(Demo),
    /// Print the OpenAPI document of the REST contract.
    Openapi,
}

/// What `bootstrap` needs to know.
#[derive(Debug, Args)]
pub struct Bootstrap {
    /// The community's name.
    #[arg(long)]
    pub community: String,
    /// The e-mail address of its owner.
    #[arg(long)]
    pub owner_email: String,
}

/// Where the cluster is in which `demo` makes its community.
#[derive(Debug, Args)]
pub struct Demo {
    /// The gateway.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub http_url: Address,
    /// The services behind it.
    #[command(flatten)]
    pub services: PeerUrls<Local>,
}

/// The demo calls every service, and finds each on this machine by itself.
#[derive(Debug)]
pub struct Local;

impl Calls for Local {
    const SERVICES: &'static [&'static Service] = SERVICES;
    const LOCAL_BY_DEFAULT: bool = true;
}

/// What can be done with workflows.
#[derive(Debug, Subcommand)]
pub enum Workflow {
    /// Make a workflow, and print its path and its API key once.
    Create {
        /// The community's id or slug.
        #[arg(long)]
        community: String,
        /// The workflow's name.
        #[arg(long)]
        name: String,
    },
}

/// What can be done with events that a service could not handle.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// List the events that are parked, oldest first, with those that wait behind them.
    Parked {
        /// How many are shown at most.
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u64,
    },
    /// Have parked events tried again by the running service, and what waits behind them.
    Replay {
        /// Only this one; all without it.
        event: Option<EventId>,
    },
}

/// What can be done with signing keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Sign new JWTs with a new key; those of the old one stay valid until they expire.
    Rotate {
        /// The secret that the present keys are sealed with is lost. Without this flag, a secret
        /// that does not open them is taken for a mistake.
        #[arg(long)]
        secret_lost: bool,
    },
    /// Delete a signing key that somebody else may have, or all keys. Every JWT that it signed ends,
    /// and its users have to log in again. If it signed new JWTs, a new key takes its place.
    Revoke {
        /// The key's id, the `kid` in /.well-known/jwks.json. [default: all keys]
        key: Option<KeyId>,
        /// End the JWTs now. Required, because it cannot be undone; `keys rotate` lets them expire.
        #[arg(long, required = true)]
        now: bool,
    },
}

/// What can be done with the JWTs of users.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// End all JWTs of a user, e.g. because one was stolen. They may log in again; change the password
    /// first if that is known to others. API keys of theirs stay valid.
    Revoke {
        /// The user's id, e-mail address or username.
        #[arg(long)]
        user: String,
        /// The community's id or slug; may be left out if there is only one.
        #[arg(long)]
        community: Option<String>,
    },
}

/// What can be done with Sendbird tokens.
#[derive(Debug, Subcommand)]
pub enum SendbirdToken {
    /// Make a token and print it once.
    Create {
        /// The community's id or slug.
        #[arg(long)]
        community: String,
    },
    /// Revoke a token.
    Revoke {
        /// The community's id or slug.
        #[arg(long)]
        community: String,
        /// The token's id, printed when it was made.
        id: String,
    },
}
