//! What a service is made of.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_auth::source::CredentialSource;
use guildhall_catalog::Service as Entry;
use guildhall_events::Outbox;
use guildhall_runtime::Result;
use guildhall_server::Rpcs;

use crate::{Context, EventSource};

/// A service, in a process of its own or in one with others.
#[async_trait]
pub trait Service: Running + Sized {
    /// Its entry in the catalogue.
    const ENTRY: &'static Entry;
    /// What an operator decides about it alone; `()` when that is nothing.
    type Settings: clap::Args + Send + Sync;

    /// Opens its database, makes what is missing, and starts its work in the background.
    async fn open(context: Context<'_, Self::Settings>) -> Result<Self>;
}

/// A service that was opened.
#[async_trait]
pub trait Running: Send + Sync + 'static {
    /// Adds its gRPC services.
    fn add_services(&self, rpcs: &mut Rpcs);

    /// The events that it publishes.
    fn outbox(&self) -> &Outbox;

    /// Where the access layer looks credentials up, when this is the service that has them.
    fn credential_source(&self) -> Option<Arc<dyn CredentialSource>> {
        None
    }

    /// Starts to handle the events that the catalogue says it handles.
    fn consume(&self, _source: &EventSource<'_>) {}

    /// Resolves, once the process is to stop, when work that was begun has ended: to be awaited
    /// before the process ends.
    async fn finished(&self) {}
}
