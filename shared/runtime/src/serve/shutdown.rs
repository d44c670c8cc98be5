//! The request to stop.

use std::{future::Future, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The request to stop, shared by all parts of a process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    hurry: CancellationToken,
}

impl Shutdown {
    /// A request that SIGTERM or SIGINT makes; a second signal is [`Self::hurry`].
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signal() -> io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = shutdown.clone();
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::info!("stopping: requests under way are finished first");
            stop.start();
            either(&mut terminate, &mut interrupt).await;
            tracing::info!("stopping without delay");
            stop.hurry();
        });
        Ok(shutdown)
    }

    /// Asks all parts to stop.
    pub fn start(&self) {
        self.stop.cancel();
    }

    /// Asks all parts to stop, without the delay in which listeners still accept connections.
    /// Requests under way are finished all the same.
    pub fn hurry(&self) {
        self.stop.cancel();
        self.hurry.cancel();
    }

    /// Whether the process is stopping.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves when the process is to stop.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static {
        self.stop.clone().cancelled_owned()
    }

    /// Resolves when the process is to stop without delay.
    pub fn hurried(&self) -> impl Future<Output = ()> + Send + 'static {
        self.hurry.clone().cancelled_owned()
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
