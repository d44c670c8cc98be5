//! Flags and variables of one name; `--help` is the documentation.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use guildhall_gateway::Cidr;

/// Guildhall: messaging for communities, behind REST and gRPC, in one process.
///
/// Without a command it serves until Ctrl-C. All data lies in --data-dir.
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

    /// Make a community to try things out with, once, and write its credentials to
    /// <data-dir>/demo.json.
    #[arg(long, env = "GUILDHALL_DEMO", value_parser = clap::builder::FalseyValueParser::new())]
    pub demo: bool,

    /// Requests per second and credential, twice that at once; 0 switches the limit off.
    #[arg(long, env = "GUILDHALL_RATE_LIMIT", default_value_t = 100)]
    pub rate_limit: u32,

    /// Networks (CIDR, separated by commas) of proxies whose X-Forwarded-For is believed.
    #[arg(long, env = "GUILDHALL_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Cidr>,

    /// What is logged, e.g. `warn` or `info,guildhall_messaging=debug`.
    #[arg(
        long,
        env = "GUILDHALL_LOG",
        default_value = "info,sea_orm_migration=warn",
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
    /// Tokens of the Sendbird facade.
    #[command(subcommand)]
    SendbirdToken(SendbirdToken),
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

/// What can be done with signing keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Sign new JWTs with a new key; those of the old one stay valid until they expire.
    Rotate,
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
