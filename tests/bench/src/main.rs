//! `make bench`: our figures beside the floors that they are measured against, from one run.
//!
//! * [`case`]: what is measured, a file per group of cases
//! * [`comparison`]: how it is measured: both sides in turn, round by round
//! * [`load`]: the load generator
//! * [`floor`]: the other sides
//! * [`environment`]: the real platform, and what is in it before a case begins
//! * [`process`]: what our processes cost
//! * [`machine`], [`report`]: what a figure is worth, and how it is shown

mod case;
mod child;
mod comparison;
mod environment;
mod floor;
mod load;
mod machine;
mod process;
mod report;
mod settings;

use std::{fs, panic, process::ExitCode};

use clap::Parser;

use crate::{
    machine::Machine,
    report::Report,
    settings::{Part, Settings},
};

/// As in the binaries that are measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why the bench could not run.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

fn main() -> ExitCode {
    // A fixture that fails panics for its test; a person wants to read what went wrong.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{}", panic.payload_as_str().unwrap_or("it failed"));
    }));
    let settings = Settings::parse();
    let done = match &settings.part {
        Some(part) => serve(part).map(|()| true),
        None => bench(&settings),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("guildhall-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the cases; whether nothing is wrong that should be an error.
fn bench(settings: &Settings) -> Result<bool> {
    // It only waits: the load is made on a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut machine = Machine::look()?;
    let (cases, postgres) = runtime.block_on(case::run(settings))?;
    machine.postgres = postgres;
    let report = Report {
        machine,
        seconds: settings.seconds,
        cases,
    };
    println!("{report}");
    if let Some(folder) = settings.out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&settings.out, serde_json::to_vec_pretty(&report)?)?;
    Ok(!settings.check || report.missed().next().is_none())
}

/// Is a part of the bench, with the threads that a service has.
fn serve(part: &Part) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(async {
        match part {
            Part::FloorService => floor::hop::service().await,
            Part::FloorGateway { upstream } => floor::hop::gateway(upstream).await,
            Part::Auth => floor::auth::serve().await,
            Part::Sink => floor::sink::serve().await,
            Part::Ledger {
                secret,
                database,
                broker,
            } => environment::ledger::serve(secret, database, broker).await,
            Part::Receiver => environment::receiver::serve().await,
        }
    });
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    served
}
