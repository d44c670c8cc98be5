//! What a service is made from.

use std::{path::PathBuf, sync::OnceLock};

use guildhall_catalog::IDENTITY;
use guildhall_data::Storage;
use guildhall_directory::Directory;
use guildhall_runtime::{Result, Shutdown};
use guildhall_server::Peers;
use guildhall_signals::Signals;
use zeroize::Zeroizing;

/// What all services of a process have in common.
#[derive(Debug)]
pub struct Environment {
    /// Where the databases are.
    pub storage: Storage,
    /// The platform's secret, wiped from memory when it is dropped.
    pub secret: Zeroizing<Vec<u8>>,
    /// What processes tell each other.
    pub signals: Signals,
    /// The signal to stop.
    pub shutdown: Shutdown,
    /// Where files lie that are not in a database.
    pub data_dir: PathBuf,
    directory: OnceLock<Directory>,
}

impl Environment {
    /// The environment of a process.
    #[must_use]
    pub fn new(
        storage: Storage,
        secret: Zeroizing<Vec<u8>>,
        signals: Signals,
        shutdown: Shutdown,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            storage,
            secret,
            signals,
            shutdown,
            data_dir,
            directory: OnceLock::new(),
        }
    }
}

/// What one service is made from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a, S> {
    /// What it shares with the other services of its process.
    pub environment: &'a Environment,
    /// The services that it calls, as the catalogue says.
    pub peers: &'a Peers,
    /// What an operator decides about it.
    pub settings: &'a S,
}

impl<S> Context<'_, S> {
    /// What identity knows of users and communities, in caches that the whole process shares.
    ///
    /// # Errors
    /// A broken build: when the catalogue does not say that the service calls identity.
    pub fn directory(&self) -> Result<Directory> {
        let environment = self.environment;
        if let Some(directory) = environment.directory.get() {
            return Ok(directory.clone());
        }
        let directory = Directory::new(self.peers.get(IDENTITY)?, &environment.signals);
        Ok(environment.directory.get_or_init(|| directory).clone())
    }
}
