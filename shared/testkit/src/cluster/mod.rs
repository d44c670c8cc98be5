//! The cluster shape: a process per service, PostgreSQL and NATS.

pub(crate) mod certificates;
mod plan;
mod replica;

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::{Index, IndexMut},
    path::PathBuf,
    process::Output,
};

use futures::future::{self, FutureExt};
use guildhall_catalog::{self as catalog, GATEWAY, IDENTITY, MESSAGING, SERVICES, WEBHOOKS};

pub use self::{
    certificates::Certificates,
    plan::{Plan, Replicas},
    replica::{Proxies, Replica},
};
use crate::{
    Bootstrapped, Demo, Nats, Postgres, Rest, Service,
    folder::Folder,
    platform::limits,
    port,
    secret::{self, Kind},
    service,
};

const DATABASE_URL: &str = "GUILDHALL_DATABASE_URL";
const NATS_URL: &str = "GUILDHALL_NATS_URL";

/// The services' databases are called `guildhall_<service>`.
const PREFIX: &str = "guildhall";

/// A running cluster; indexed by a service of the catalogue, it has the replicas of it. Dropping it
/// kills all of it.
#[derive(Debug)]
pub struct Cluster {
    /// Each kind of process after those that it calls, the gateway last.
    replicas: Vec<(&'static catalog::Service, Vec<Replica>)>,
    /// The broker; its address is known also while it is away.
    pub nats: Nats,
    /// The database server.
    pub postgres: Postgres,
    /// What its processes show each other, when they speak TLS.
    pub certificates: Option<Certificates>,
    greeting: String,
    folder: Folder,
}

impl Cluster {
    /// One process of each kind and a demo community, without a rate limit.
    pub async fn start() -> Self {
        Self::start_with(Plan::default()).await
    }

    /// A cluster as planned; ready with the demo community, if one is planned.
    pub async fn start_with(plan: Plan) -> Self {
        let started = Self::try_start_with(plan).await;
        started.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// As [`start_with`](Self::start_with), for who would rather tell than panic.
    ///
    /// # Errors
    /// When a process of ours does not get ready: which one, and the end of its log.
    pub async fn try_start_with(plan: Plan) -> Result<Self, String> {
        let mut cluster = Self::around(&plan).await;
        for kind in catalog::processes() {
            let replicas = cluster.prepare(kind, &plan).await;
            cluster.replicas.push((kind, replicas));
        }
        cluster.start_all().await?;
        if plan.demo {
            cluster.make_demo().await?;
        }
        Ok(cluster)
    }

    /// What the services stand on, without any service.
    async fn around(plan: &Plan) -> Self {
        let settings: Vec<_> = plan.settings.iter().map(String::as_str).collect();
        let nats = async {
            if plan.broker {
                Nats::start().await
            } else {
                Nats::away().await
            }
        };
        let (postgres, nats) = tokio::join!(Postgres::start_with(&settings), nats);
        let folder = Folder::new();
        let key = secret::hex::<32>();
        secret::learn(Kind::PrivateKey, &key);
        secret::write(&folder.join("secret.key"), &(key + "\n"));
        Self {
            certificates: plan.tls.then(|| Certificates::issue(folder.path())),
            replicas: Vec::new(),
            nats,
            postgres,
            greeting: String::new(),
            folder,
        }
    }

    async fn prepare(&self, kind: &'static catalog::Service, plan: &Plan) -> Vec<Replica> {
        let mut replicas = Vec::new();
        let count = plan.replicas.of(kind);
        for index in 0..count {
            let name = match count {
                1 => kind.name.to_owned(),
                _ => format!("{}-{index}", kind.name),
            };
            // The port stays the same over restarts.
            let address = match index {
                0 if plan.default_ports => (Ipv4Addr::LOCALHOST, kind.port).into(),
                _ => port::free(),
            };
            replicas.push(self.replica(kind, &name, address, plan).await);
        }
        replicas
    }

    /// A replica that does not run yet.
    async fn replica(
        &self,
        kind: &'static catalog::Service,
        name: &str,
        address: SocketAddr,
        plan: &Plan,
    ) -> Replica {
        let is_gateway = kind == GATEWAY;
        let listens = if is_gateway { "--http" } else { "--grpc" };
        let proxies = match plan.proxies {
            true => Some(Proxies::start(address, &self.postgres, &self.nats).await),
            false => None,
        };
        let (database, broker) = match &proxies {
            Some(proxies) => (proxies.database.address(), proxies.broker.address()),
            None => (self.postgres.address(), self.nats.address()),
        };
        let mut args = [
            [listens, &address.to_string()],
            ["--secret-key-file", &self.secret_key_file()],
            ["--rate-limit", &plan.rate_limit.to_string()],
        ]
        .concat()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
        args.extend(self.peers(kind));
        args.extend(plan.args.clone());
        let mut variables = self.tls_variables();
        variables.extend(limits(plan.rate_limit));
        // In its arguments, everybody on the machine could read the passwords.
        variables.push((NATS_URL, self.nats.url_through(broker)));
        variables.extend(plan.variables.clone());
        if kind == WEBHOOKS && plan.private_receivers {
            args.push("--webhooks-allow-private".to_owned());
        }
        if is_gateway {
            args.extend(plan.gateway_args.clone());
        } else {
            variables.push((DATABASE_URL, self.postgres.url_through(database, PREFIX)));
        }
        let log = self.folder.join(format!("{name}.log"));
        let service = Service::new(name, &kind.binary(), args, log).with(variables);
        let scheme = match plan.tls && !is_gateway {
            true => "https",
            false => "http",
        };
        Replica::new(service, scheme, address, proxies)
    }

    fn tls_variables(&self) -> Vec<(&'static str, String)> {
        let certificates = self.certificates.as_ref();
        certificates.map_or_else(Vec::new, Certificates::variables)
    }

    /// The flags that say where the other services are.
    fn peers(&self, kind: &catalog::Service) -> Vec<String> {
        let flags = kind.peers.iter();
        let flags = flags.map(|peer| [format!("--{}", peer.url_flag()), self.urls(peer)]);
        flags.flatten().collect()
    }

    /// Where all replicas of a service are reached.
    fn urls(&self, service: &catalog::Service) -> String {
        let urls: Vec<_> = self[service].iter().map(Replica::proxied_url).collect();
        urls.join(",")
    }

    async fn start_all(&mut self) -> Result<(), String> {
        let starts = self.services().map(Service::try_start);
        future::try_join_all(starts).await?;
        Ok(())
    }

    async fn make_demo(&mut self) -> Result<(), String> {
        let mut args = ["demo", "--http-url", self.http()]
            .map(str::to_owned)
            .to_vec();
        for service in SERVICES {
            args.extend([
                format!("--{}", service.url_flag()),
                self.url(service).to_owned(),
            ]);
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = self.command(&args).await;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        self.greeting = String::from_utf8_lossy(&output.stdout).into_owned();
        secret::learn_data_dir(&self.data_dir());
        Ok(())
    }

    /// Kills every process of ours at once (SIGKILL), and starts them on the same data and ports.
    pub async fn kill_and_restart(&mut self) {
        future::join_all(self.services().map(Service::kill9)).await;
        let started = self.start_all().await;
        started.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Stops everything in good order: who depends on others goes before them.
    pub async fn stop(&mut self) {
        for service in self.services() {
            if service.is_running() {
                service.stop().await;
            }
        }
        if self.nats.is_running() {
            self.nats.stop().await;
        }
        if self.postgres.is_running() {
            self.postgres.stop().await;
        }
    }

    /// Waits until one of the processes ends by itself; which one, and the end of its log.
    pub async fn ended(&mut self) -> String {
        let services = self.replicas.iter_mut().flat_map(|(_, replicas)| replicas);
        let services = services.map(|replica| replica.service.ended().boxed());
        let servers = [self.nats.ended().boxed(), self.postgres.ended().boxed()];
        future::select_all(services.chain(servers)).await.0
    }

    /// Every process of ours, in the order in which they depend on each other.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().flat_map(|(_, replicas)| replicas)
    }

    /// Every process of ours, the one that depends on others before them.
    pub fn replicas_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        let kinds = self.replicas.iter_mut().rev();
        kinds.flat_map(|(_, replicas)| replicas)
    }

    fn services(&mut self) -> impl Iterator<Item = &mut Service> {
        self.replicas_mut().map(|replica| &mut replica.service)
    }

    /// Where the first gateway is reached.
    #[must_use]
    pub fn http(&self) -> &str {
        self.url(GATEWAY)
    }

    /// Where the first replica of a service is reached.
    #[must_use]
    pub fn url(&self, service: &catalog::Service) -> &str {
        self[service][0].proxied_url()
    }

    /// Where the first replica of identity is reached.
    #[must_use]
    pub fn identity_url(&self) -> &str {
        self.url(IDENTITY)
    }

    /// Where the first replica of messaging is reached.
    #[must_use]
    pub fn messaging_url(&self) -> &str {
        self.url(MESSAGING)
    }

    /// A REST client of the first gateway.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(self.http())
    }

    /// The demo community.
    #[must_use]
    pub fn demo(&self) -> Demo {
        Demo::read(&self.data_dir())
    }

    /// What `guildhall demo` has printed.
    #[must_use]
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Makes another community beside the running cluster, as an operator does.
    pub async fn bootstrap(&self, name: &str, owner_email: &str) -> Bootstrapped {
        Bootstrapped::printed(
            &self
                .command(&Bootstrapped::command(name, owner_email))
                .await,
        )
    }

    /// Runs a command of `guildhall` on the cluster's databases, until it ends by itself.
    pub async fn command(&self, args: &[&str]) -> Output {
        let mut command = service::command("guildhall");
        command
            .env(DATABASE_URL, self.postgres.url(PREFIX))
            .env(NATS_URL, self.nats.url())
            .env("GUILDHALL_SECRET_KEY_FILE", self.secret_key_file())
            .env("GUILDHALL_DATA_DIR", self.data_dir())
            .envs(self.tls_variables())
            .args(args);
        service::output(command).await
    }

    /// Where the credentials of the demo community lie.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Connections to a service's database, e.g. `messaging`, past every proxy.
    #[must_use]
    pub fn database(&self, service: &str) -> sqlx::PgPool {
        self.postgres.pool(&format!("{PREFIX}_{service}"))
    }

    /// What `--database-url` takes, with its password.
    pub(crate) fn database_url(&self) -> String {
        self.postgres.url(PREFIX)
    }

    /// The file with the platform's secret.
    #[must_use]
    pub fn secret_key_file(&self) -> String {
        self.folder.join("secret.key").display().to_string()
    }
}

/// The replicas of a service, or of the gateway.
impl Index<&catalog::Service> for Cluster {
    type Output = Vec<Replica>;

    fn index(&self, service: &catalog::Service) -> &Vec<Replica> {
        let mut kinds = self.replicas.iter();
        let kind = kinds.find(|(kind, _)| *kind == service);
        &kind.expect("a service of the catalogue").1
    }
}

impl IndexMut<&catalog::Service> for Cluster {
    fn index_mut(&mut self, service: &catalog::Service) -> &mut Vec<Replica> {
        let mut kinds = self.replicas.iter_mut();
        let kind = kinds.find(|(kind, _)| *kind == service);
        &mut kind.expect("a service of the catalogue").1
    }
}
