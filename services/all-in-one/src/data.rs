//! Where the platform keeps its data and its secret, and which bus it is on.

use std::{fs, os::unix::fs::OpenOptionsExt, path::Path};

use guildhall_catalog::IDENTITY;
use guildhall_data::{PostgresServer, Storage};
use guildhall_events::{BusSettings, jetstream::JetStream};
use guildhall_runtime::{
    Error, Result, Shutdown,
    private::{make_directory, require_own},
};
use guildhall_server::secret;
use guildhall_signals::Signals;
use zeroize::Zeroizing;

use crate::settings::Settings;

/// Where the databases are, none of which is opened yet, and the secret, read or made.
pub fn storage_and_secret(settings: &Settings) -> Result<(Storage, Zeroizing<Vec<u8>>)> {
    let Some(url) = &settings.database_url else {
        make_private(&settings.data_dir)?;
        let secret = match &settings.secret_key_file {
            // Whoever names a file means one that is there; another secret would open nothing.
            Some(file) => secret::load(file)?,
            None => secret::load_or_create(&settings.data_dir.join("secret.key"))?,
        };
        return Ok((Storage::files(&settings.data_dir), secret));
    };
    let file = settings.secret_key_file.as_ref().ok_or_else(|| {
        Error::bug(
            "--database-url needs --secret-key-file: the file with the platform's secret, the \
             same for all its processes (umask 077; openssl rand -hex 32 > FILE)",
        )
    })?;
    let storage = Storage::Postgres(PostgresServer::parse(url)?);
    Ok((storage, secret::load(file)?))
}

/// Makes a directory for its owner alone, unless it is there and others cannot write to it.
pub fn make_private(directory: &Path) -> Result<()> {
    make_directory(directory).map_err(|error| {
        Error::bug(format!(
            "cannot make the data directory {}: {error}",
            directory.display()
        ))
    })?;
    require_own(directory)
}

/// What processes tell each other; this process is alone without `--nats-url`.
pub fn signals(settings: &Settings, secret: &[u8], shutdown: &Shutdown) -> Result<Signals> {
    match bus(settings, secret)? {
        None => Ok(Signals::default()),
        Some(bus) => Signals::connect(&bus, shutdown),
    }
}

/// Where events are carried; in this process alone without `--nats-url`.
pub fn streams(settings: &Settings, secret: &[u8]) -> Result<Option<JetStream>> {
    Ok(bus(settings, secret)?.map(JetStream::new))
}

/// On the bus the whole platform in one process is an identity service that also speaks of
/// channels; an operator's command speaks as identity, too.
fn bus(settings: &Settings, secret: &[u8]) -> Result<Option<BusSettings>> {
    let urls = &settings.nats_url;
    let bus = (!urls.is_empty()).then(|| settings.serve.bus(IDENTITY, urls, secret));
    bus.transpose()
}

/// Keeps a second server off the same files: its streams and caches would miss this one's
/// writes. On PostgreSQL any number of processes may serve, which tell each other over the bus.
pub fn lock(settings: &Settings) -> Result<Option<fs::File>> {
    if settings.database_url.is_some() {
        return Ok(None);
    }
    let path = settings.data_dir.join("server.lock");
    let mut options = fs::File::options();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let lock = options
        .open(&path)
        .map_err(|error| Error::bug(format!("cannot write {}: {error}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(_) => Err(Error::bug(format!(
            "another guildhall serves the data in {}: stop it, or choose another --data-dir",
            settings.data_dir.display()
        ))),
    }
}
