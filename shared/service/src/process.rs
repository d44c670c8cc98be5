//! A service as a process of its own.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use guildhall_auth::source::{CredentialSource, RemoteSource};
use guildhall_catalog::IDENTITY;
use guildhall_events::jetstream::{self, JetStream};
use guildhall_runtime::Result;
use guildhall_server::{Endpoint, Peers, Process, Rpcs, finish};

use crate::{Context, Environment, EventSource, Service, flags::Flags};

/// Where files lie that are not in a database, unless a flag says otherwise.
const DATA_DIR: &str = ".guildhall";

/// Runs a service to its end: all that its `main` does.
pub async fn run<S: Service>() -> ExitCode {
    let flags = Flags::<S>::parse();
    finish(&flags.process.log, &flags.process.serve, serve::<S>(&flags)).await
}

async fn serve<S: Service>(flags: &Flags<S>) -> Result<()> {
    let endpoint = Endpoint::Grpc(flags.grpc);
    let process = Process::start(S::ENTRY, endpoint, &flags.process).await?;
    let environment = Environment::new(
        flags.database.storage()?,
        process.secret.clone(),
        process.signals.clone(),
        process.shutdown.clone(),
        PathBuf::from(DATA_DIR),
    );
    let peers = process.connect(&flags.peers)?;
    introduce(&process, &peers).await?;
    let context = Context {
        environment: &environment,
        peers: &peers,
        settings: &flags.own,
    };
    let service = process.open(S::open(context)).await?;
    let streams = JetStream::new(process.bus().clone());
    jetstream::publish(service.outbox(), &streams, &process.shutdown);
    service.consume(&EventSource::Streams(&streams));
    let guard = process.guard(credential_source(&service, &peers)?);
    let mut rpcs = Rpcs::default();
    service.add_services(&mut rpcs);
    process.serve_grpc(guard, rpcs).await?;
    service.finished().await;
    Ok(())
}

/// Fails early where identity does not take this process for a service of its platform.
async fn introduce(process: &Process<'_>, peers: &Peers) -> Result<()> {
    match peers.find(IDENTITY) {
        Some(identity) => process.open(RemoteSource::new(identity).introduce()).await,
        // This is identity.
        None => Ok(()),
    }
}

/// Where credentials are looked up: at the service itself, or at identity.
fn credential_source<S: Service>(service: &S, peers: &Peers) -> Result<Arc<dyn CredentialSource>> {
    match service.credential_source() {
        Some(source) => Ok(source),
        None => Ok(Arc::new(RemoteSource::new(peers.get(IDENTITY)?))),
    }
}
