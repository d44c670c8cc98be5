//! Webhooks: events carried out to receivers, calls taken in.
//!
//! * `rpc`: a file per gRPC service, which forwards to `actions`: a file per use case
//! * [`operator`]: the actions of an operator's commands, past every access rule
//! * [`domain`]: rules that need no I/O
//! * [`store`]: entities and queries
//! * [`present`]: how stored records are shown in answers
//! * [`delivery`]: from queued deliveries to receivers
//! * [`events`]: what the rest of the platform is told, and what is done on its events
//! * [`migration`]: the tables

mod actions;
pub mod delivery;
pub mod domain;
pub mod events;
mod metrics;
pub mod migration;
pub mod present;
mod rpc;
pub mod store;

pub use actions::operator;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use guildhall_catalog::{MESSAGING, WEBHOOKS};
use guildhall_data::{CommunityId, Database, Storage, WebhookId, seal::Sealer, statistics, sweep};
use guildhall_directory::Directory;
use guildhall_events::{Consumer, Outbox, Retention};
use guildhall_mail::{MailSettings, Mailer, Transport};
use guildhall_runtime::{Peer, Result, Shutdown};
use guildhall_server::Rpcs;
use guildhall_service::{Context, Environment, EventSource, Running, Service};
use guildhall_writes::Writes;

use crate::{
    actions::{CallLimits, CallerLimits},
    delivery::{Dispatcher, Emails, Reach, Timing},
    domain::workflow::Sessions,
    events::Subscriber,
    store::{deliveries, seals},
};

/// The webhooks service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    writes: Writes,
    /// Seals the keys and secrets of webhooks.
    sealer: Arc<Sealer>,
    call_limits: CallLimits,
    callers: CallerLimits,
    sessions: Sessions,
    messaging: Peer,
    settings: Settings,
    directory: Directory,
    dispatcher: Dispatcher,
    mailer: Mailer,
    outbox: Outbox,
    shutdown: Shutdown,
}

/// What webhooks call.
#[derive(Debug)]
pub struct Peers {
    /// Communities and users.
    pub directory: Directory,
    /// Channels and messages; calls carry a peer token.
    pub messaging: Peer,
    /// Where e-mails go.
    pub mail: Transport,
}

/// What an operator decides about webhooks.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "webhooks")]
pub struct Settings {
    /// Deliver to private, loopback and link-local addresses, and over plain http: for development
    /// alone.
    #[arg(
        long = "webhooks-allow-private",
        env = "GUILDHALL_WEBHOOKS_ALLOW_PRIVATE",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub allow_private: bool,

    /// Calls of incoming webhooks and workflows per second from one address (IPv6: from one /64),
    /// ten times that at once, in each process; 0 switches the limit off, and with it that of 30
    /// calls a minute with a wrong key.
    #[arg(
        long,
        env = "GUILDHALL_CALLER_RATE_LIMIT",
        default_value_t = 50,
        value_name = "N"
    )]
    pub caller_rate_limit: u32,

    /// Calls of a workflow per second, ten times that at once, in each process; 0 switches the
    /// limit off.
    #[arg(
        long,
        env = "GUILDHALL_WORKFLOW_RATE_LIMIT",
        default_value_t = 10,
        value_name = "N"
    )]
    pub workflow_rate_limit: u32,

    /// MiB that the events of a workflow may have in a day (UTC), in all processes together; 0
    /// switches the limit off.
    #[arg(
        long,
        env = "GUILDHALL_WORKFLOW_DAILY_MIB",
        default_value_t = 100,
        value_name = "N"
    )]
    pub workflow_daily_mib: u32,

    /// Where e-mails are written without --smtp-url. [default: `mail` in --data-dir, or in
    /// .guildhall where there is no such flag]
    #[arg(long, env = "GUILDHALL_MAIL_DIR", value_name = "DIRECTORY")]
    pub mail_dir: Option<PathBuf>,

    /// How e-mails leave the platform.
    #[command(flatten)]
    pub mail: MailSettings,
}

impl Webhooks {
    /// Opens its database in `storage`, begins to sweep it and to deliver what is queued. `secret` is
    /// the platform's.
    ///
    /// # Errors
    /// When the database cannot be opened, migrated, or trusted to be durable, or TLS cannot be set
    /// up.
    pub async fn open(
        storage: &Storage,
        secret: &[u8],
        peers: Peers,
        settings: Settings,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let timing = Timing::default();
        Self::open_with(timing, storage, secret, peers, settings, shutdown).await
    }

    /// The same with another timing of deliveries, for tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        timing: Timing,
        storage: &Storage,
        secret: &[u8],
        peers: Peers,
        settings: Settings,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let database = Database::open::<migration::Migrator>(storage, WEBHOOKS.name).await?;
        let sealer = Arc::new(Sealer::derive(secret, b"webhook secrets")?);
        seals::seal_anew(&database, &sealer).await?;
        sweep::start::<deliveries::Entity>(
            database.clone(),
            deliveries::Column::CreatedAt,
            deliveries::RETENTION,
            shutdown.clone(),
        );
        statistics::keep::<deliveries::Entity>(&database, shutdown);
        let reach = Reach::allowing_private(settings.allow_private);
        let directory = peers.directory;
        let mailer = Mailer::start(database.clone(), peers.mail, shutdown.clone());
        let emails = Emails::new(&directory, &mailer);
        let dispatcher =
            Dispatcher::start(&database, &sealer, emails, reach, timing, shutdown).await?;
        Ok(Self(Arc::new(Inner {
            writes: Writes::open(&database, shutdown),
            call_limits: CallLimits::default(),
            callers: CallerLimits::new(settings.caller_rate_limit, settings.workflow_rate_limit),
            sessions: Sessions::derive(secret),
            outbox: Outbox::open(&database, WEBHOOKS.name),
            directory,
            mailer,
            sealer,
            dispatcher,
            database,
            messaging: peers.messaging,
            settings,
            shutdown: shutdown.clone(),
        })))
    }

    fn consumer(&self, retention: Retention) -> Consumer<Subscriber> {
        let subscriber = Subscriber(self.clone());
        Consumer::new(
            "webhooks",
            self.0.database.clone(),
            subscriber,
            retention,
            &self.0.shutdown,
        )
    }

    /// Deliveries were queued for these webhooks, and are committed.
    pub fn wake(&self, webhooks: impl IntoIterator<Item = (CommunityId, WebhookId)>) {
        self.0.dispatcher.wake(webhooks);
    }
}

#[async_trait]
impl Service for Webhooks {
    const ENTRY: &'static guildhall_catalog::Service = WEBHOOKS;
    type Settings = Settings;

    async fn open(context: Context<'_, Settings>) -> Result<Self> {
        let Environment {
            storage,
            secret,
            shutdown,
            data_dir,
            ..
        } = context.environment;
        let settings = context.settings.clone();
        let default = || data_dir.join("mail");
        let mail_dir = settings.mail_dir.clone().unwrap_or_else(default);
        let peers = Peers {
            directory: context.directory()?,
            messaging: context.peers.get(MESSAGING)?,
            mail: settings.mail.transport(&mail_dir)?,
        };
        Self::open(storage, secret, peers, settings, shutdown).await
    }
}

#[async_trait]
impl Running for Webhooks {
    fn add_services(&self, rpcs: &mut Rpcs) {
        rpc::add_services(self, rpcs);
    }

    fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    fn consume(&self, source: &EventSource<'_>) {
        let consumer = self.consumer(source.retention());
        source.feed(WEBHOOKS, &consumer, &self.0.database, &self.0.shutdown);
    }

    async fn finished(&self) {
        self.0.shutdown.started().await;
        self.0.dispatcher.finished().await;
        self.0.mailer.ended().await;
    }
}
