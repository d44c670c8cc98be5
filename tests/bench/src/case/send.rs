//! Sends: each is on disk when it is answered, on both sides.

use guildhall_testkit::Platform;

use super::{
    Case,
    paired_run::{PairedRun, at_once},
};
use crate::{
    Result,
    comparison::Sample,
    environment::{
        Environment, Stored,
        community::{Community, TEXT},
    },
    floor::sqlite::{self, Sqlite},
    load::Target,
    process::{Member, Processes},
    report::Outcome,
    settings::Settings,
};

/// Connections of most cases, and pgbench's clients beside them.
const CONNECTIONS: usize = 64;

/// How many clients pgbench has.
#[derive(Debug, Clone, Copy)]
pub enum Clients {
    /// As many as we have connections.
    Same,
    /// As many as it is fastest with.
    Best,
}

/// Sends over REST, on the cluster.
pub async fn rest(
    case: Case,
    settings: &Settings,
    environment: &Environment,
    connections: usize,
    clients: Clients,
) -> Result<Outcome> {
    let paired_run = PairedRun {
        case,
        settings,
        processes: environment.processes(),
        target: environment.community.sends()?,
        connections,
    };
    against_pgbench(paired_run, environment, clients).await
}

/// Sends over gRPC straight to messaging, on the cluster.
pub async fn grpc(case: Case, settings: &Settings, environment: &Environment) -> Result<Outcome> {
    let paired_run = PairedRun {
        case,
        settings,
        processes: environment.processes(),
        target: environment
            .community
            .sends_by_rpc(environment.cluster.messaging_url())?,
        connections: CONNECTIONS,
    };
    against_pgbench(paired_run, environment, Clients::Same).await
}

async fn against_pgbench<T: Target>(
    paired_run: PairedRun<'_, T>,
    environment: &Environment,
    clients: Clients,
) -> Result<Outcome> {
    let script = environment.send_script().await?;
    let clients = match clients {
        Clients::Same => paired_run.connections,
        Clients::Best => environment.pgbench.best(&script, paired_run.time()).await?,
    };
    let before = environment.stored().await?;
    let floor = async || {
        let found = environment
            .pgbench
            .run(&script, clients, paired_run.time())
            .await?;
        Ok(Sample::of(found.rate))
    };
    let (mut outcome, acknowledged) = paired_run
        .run(async || environment.checkpoint().await, floor)
        .await?;
    judge(
        &mut outcome,
        before,
        environment.stored().await?,
        acknowledged,
    )?;
    outcome
        .notes
        .push(format!("floor: pgbench with {clients} clients"));
    Ok(outcome)
}

/// Sends over REST to one process on SQLite.
pub async fn embedded(case: Case, settings: &Settings) -> Result<Outcome> {
    let platform = Platform::start().await;
    let community = Community::prepare(platform.http(), platform.demo()).await;
    let database = platform.data_dir().join("messaging.db");
    let mut floor = Sqlite::like(&database)?;
    let event = sqlite::ask(&database, "SELECT max(length(payload)) FROM outbox")?;
    let event = usize::try_from(event)?;
    let paired_run = PairedRun {
        case,
        settings,
        processes: Processes::new().with("guildhall", Member::Alone(platform.pid())),
        target: community.sends()?,
        connections: CONNECTIONS,
    };
    let stored = || -> Result<Stored> {
        Ok(Stored {
            messages: sqlite::ask(&database, "SELECT count(*) FROM messages")?,
            events: sqlite::ask(&database, "SELECT count(*) FROM outbox")?,
            counted: sqlite::ask(&database, "SELECT sum(last_seq) FROM channels")?,
        })
    };
    let before = stored()?;
    let loops = async || Ok(Sample::of(floor.run(TEXT, event, paired_run.time())?));
    let (mut outcome, acknowledged) = paired_run.run(at_once, loops).await?;
    judge(&mut outcome, before, stored()?, acknowledged)?;
    Ok(outcome)
}

/// Every acknowledged send must be stored, and nothing else, unless some failed on the way.
fn judge(outcome: &mut Outcome, before: Stored, after: Stored, acknowledged: u64) -> Result<()> {
    if outcome.invalid.is_empty() {
        after.check(before, acknowledged)?;
        outcome.notes.push(format!(
            "{acknowledged} sends acknowledged, as many rows stored"
        ));
    }
    Ok(())
}
