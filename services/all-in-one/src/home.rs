//! Where the platform keeps its data and its secret.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use guildhall_data::{PostgresServer, Storage, seal};
use guildhall_events::jetstream::JetStream;
use guildhall_runtime::{Error, Result, Shutdown};
use guildhall_server::{Part, process};
use guildhall_signals::Signals;
use zeroize::Zeroizing;

use crate::settings::Settings;

/// On the bus the whole platform in one process is an identity service that speaks of channels,
/// too; what an operator does, identity does.
const PART: Part = Part {
    service: "identity",
    hears: &["identity"],
};

/// Where the platform keeps its data and its secret.
pub struct Home {
    /// Its databases.
    pub storage: Storage,
    /// Its secret, wiped from memory when it is dropped.
    pub secret: Zeroizing<Vec<u8>>,
}

impl Home {
    /// Reads or makes the secret; opens no database yet.
    pub fn of(settings: &Settings) -> Result<Self> {
        let Some(url) = &settings.database_url else {
            make_private(&settings.data_dir)?;
            let file = settings.data_dir.join("secret.key");
            let file = settings.secret_key_file.as_ref().unwrap_or(&file);
            return Ok(Self {
                storage: Storage::files(&settings.data_dir),
                secret: seal::load_or_create_secret(file)?,
            });
        };
        let file = settings.secret_key_file.as_ref().ok_or_else(|| {
            Error::bug(
                "--database-url needs --secret-key-file: the file with the platform's secret, the \
                 same for all its processes (openssl rand -hex 32 > FILE)",
            )
        })?;
        Ok(Self {
            storage: Storage::Postgres(PostgresServer::parse(url)?),
            secret: seal::load_secret(file)?,
        })
    }
}

/// Makes a directory for its owner alone, unless it is there.
pub fn make_private(directory: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(directory);
    made.map_err(|error| {
        Error::bug(format!(
            "cannot make the data directory {}: {error}",
            directory.display()
        ))
    })
}

/// What processes tell each other; this process is alone without `--nats-url`.
pub fn signals(settings: &Settings, shutdown: &Shutdown) -> Result<Signals> {
    if settings.nats_url.is_empty() {
        return Ok(Signals::default());
    }
    let bus = process::bus(PART, &settings.nats_url, &settings.serve);
    Signals::connect(&bus, shutdown)
}

/// Where events are carried; in this process alone without `--nats-url`.
pub fn streams(settings: &Settings) -> Option<JetStream> {
    if settings.nats_url.is_empty() {
        return None;
    }
    let bus = process::bus(PART, &settings.nats_url, &settings.serve);
    Some(JetStream::new(bus))
}

/// Keeps a second server off the same files: its streams and caches would not hear of this one's
/// writes. On PostgreSQL any number of processes may serve, and hear of each other over the bus.
pub fn hold(settings: &Settings) -> Result<Option<fs::File>> {
    if settings.database_url.is_some() {
        return Ok(None);
    }
    let path = settings.data_dir.join("server.lock");
    let lock = fs::File::create(&path)
        .map_err(|error| Error::bug(format!("cannot write {}: {error}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(_) => Err(Error::bug(format!(
            "another guildhall serves the data in {}: stop it, or choose another --data-dir",
            settings.data_dir.display()
        ))),
    }
}
