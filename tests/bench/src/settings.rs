//! What the bench is told.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

use crate::case::Case;

/// Measures Guildhall against the floors of the same machine, and prints both.
///
/// The real platform is started from the binaries beside this one, with PostgreSQL and NATS of its
/// own; pgbench must be installed. Both sides of a ratio run in turn. A figure that misses what it
/// must reach is shown as missed, and is an error only with --check.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Settings {
    /// Only this case; may be repeated.
    #[arg(long = "case", value_enum, value_name = "NAME")]
    pub cases: Vec<Case>,

    /// Rounds of each side that count; one more goes before them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,

    /// Seconds of a round; pgbench knows whole ones only, and at least one.
    #[arg(long, default_value_t = 4.0, value_parser = seconds)]
    pub seconds: f64,

    /// Seconds for which a consumer must keep up with messages.
    #[arg(long, default_value_t = 60.0, value_parser = seconds, value_name = "SECONDS")]
    pub sustained: f64,

    /// Messages of the long channel that is listed.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub messages: u32,

    /// Where the report goes, as JSON.
    #[arg(long, default_value = "target/bench/report.json", value_name = "FILE")]
    pub out: PathBuf,

    /// End with an error when a figure misses what it must reach.
    #[arg(long)]
    pub check: bool,

    /// A part of the bench, which the bench starts itself.
    #[command(subcommand)]
    pub part: Option<Part>,
}

impl Settings {
    /// The time of a round.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The time for which a consumer must keep up.
    #[must_use]
    pub fn sustained(&self) -> Duration {
        Duration::from_secs_f64(self.sustained)
    }
}

/// A part of the bench that is a process of its own.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub enum Part {
    /// The service of the bare hop.
    FloorService,
    /// The gateway of the bare hop.
    FloorGateway {
        /// The service.
        upstream: String,
    },
    /// A service with the access layer and without it.
    Auth,
    /// A receiver of traces.
    Sink,
    /// A consumer of events.
    Ledger {
        /// The file with the platform's secret.
        secret: PathBuf,
        /// Its database.
        #[arg(env = "GUILDHALL_BENCH_DATABASE", hide_env_values = true)]
        database: String,
        /// Where events come from.
        #[arg(env = "GUILDHALL_BENCH_BROKER", hide_env_values = true)]
        broker: String,
    },
    /// A receiver of webhooks.
    Receiver,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("0.1 to 600".to_owned())
    }
}
