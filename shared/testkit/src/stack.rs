//! The platform in either shape.

use std::{env, path::PathBuf, process::Output};

use serde::{Deserialize, Serialize};

use crate::{
    Bootstrapped, Cluster, Demo, Options, Platform, Rest, SharedPlatform,
    grpc::{Services, connect},
};

/// The variable that says which shape tests run on: `embedded` (the default) or `cluster`.
const SHAPE: &str = "GUILDHALL_TEST_SHAPE";

/// The shape that tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One process, SQLite.
    Embedded,
    /// A process per service, PostgreSQL, NATS.
    Cluster,
}

impl Shape {
    /// What the environment says.
    ///
    /// # Panics
    /// When it says something else.
    #[must_use]
    pub fn of_tests() -> Self {
        match env::var(SHAPE).as_deref() {
            Ok("cluster") => Self::Cluster,
            Ok("embedded") | Err(_) => Self::Embedded,
            Ok(other) => panic!("{SHAPE}={other}: `embedded` or `cluster`"),
        }
    }
}

/// The platform in either shape: what a test of the contract needs of it.
#[derive(Debug)]
pub enum Stack {
    /// One process, SQLite.
    Embedded(Box<Platform>),
    /// A process per service, PostgreSQL, NATS.
    Cluster(Box<Cluster>),
    /// Either shape, shared with other tests.
    Shared(Box<SharedPlatform>),
}

impl Stack {
    /// Starts the shape that tests run on.
    pub async fn start_with(options: Options) -> Self {
        match Shape::of_tests() {
            Shape::Cluster => Cluster::start_with(options.into()).await.into(),
            Shape::Embedded => Platform::start_with(options).await.into(),
        }
    }

    /// Base of the REST contract.
    #[must_use]
    pub fn http(&self) -> &str {
        match self {
            Self::Embedded(platform) => platform.http(),
            Self::Cluster(cluster) => cluster.http(),
            Self::Shared(shared) => shared.http(),
        }
    }

    /// Where messaging is served over gRPC.
    #[must_use]
    pub fn grpc(&self) -> &str {
        match self {
            Self::Embedded(platform) => platform.grpc(),
            Self::Cluster(cluster) => cluster.messaging_url(),
            Self::Shared(shared) => shared.grpc(),
        }
    }

    /// Where each process shows its metrics; all were started with `--metrics`.
    #[must_use]
    pub fn metrics(&self) -> Vec<String> {
        match self {
            Self::Embedded(platform) => vec![platform.metrics()],
            Self::Cluster(cluster) => {
                let replicas = cluster.replicas();
                replicas.map(|replica| replica.address("metrics")).collect()
            }
            Self::Shared(_) => self.refuse(),
        }
    }

    /// Connections to all services, wherever each of them is.
    pub async fn services(&self) -> Services {
        match self {
            Self::Embedded(platform) => Services::at(&connect(platform.grpc()).await),
            Self::Cluster(cluster) => {
                Services::connect(|service| cluster.url(service).to_owned()).await
            }
            Self::Shared(shared) => shared.services().await,
        }
    }

    /// A REST client.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(self.http())
    }

    /// The demo community.
    #[must_use]
    pub fn demo(&self) -> Demo {
        Demo::read(&self.data_dir())
    }

    /// Where the demo community's credentials lie, and embedded all data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        match self {
            Self::Embedded(platform) => platform.data_dir(),
            Self::Cluster(cluster) => cluster.data_dir(),
            Self::Shared(shared) => shared.data_dir().to_owned(),
        }
    }

    /// Makes another community beside the running platform, as an operator does.
    pub async fn bootstrap(&self, name: &str, owner_email: &str) -> Bootstrapped {
        match self {
            Self::Embedded(platform) => platform.bootstrap(name, owner_email).await,
            Self::Cluster(cluster) => cluster.bootstrap(name, owner_email).await,
            Self::Shared(shared) => shared.bootstrap(name, owner_email).await,
        }
    }

    /// Runs a command of `guildhall` on the same data, until it ends by itself.
    pub async fn command(&self, args: &[&str]) -> Output {
        match self {
            Self::Embedded(platform) => platform.command(args).await,
            Self::Cluster(cluster) => cluster.command(args).await,
            Self::Shared(shared) => shared.command(args).await,
        }
    }

    /// Kills every process of ours (SIGKILL) and starts it on the same data.
    pub async fn kill_and_restart(self) -> Self {
        match self {
            Self::Embedded(platform) => (*platform).kill_and_restart().await.into(),
            Self::Cluster(mut cluster) => {
                cluster.kill_and_restart().await;
                Self::Cluster(cluster)
            }
            Self::Shared(_) => self.refuse(),
        }
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Self::Embedded(_) => Shape::Embedded,
            Self::Cluster(_) => Shape::Cluster,
            Self::Shared(shared) => shared.shape(),
        }
    }

    /// The database server of a cluster, with its password.
    #[must_use]
    pub fn database_url(&self) -> Option<String> {
        match self {
            Self::Embedded(_) => None,
            Self::Cluster(cluster) => Some(cluster.database_url()),
            Self::Shared(shared) => shared.database_url().map(str::to_owned),
        }
    }

    /// Stops everything in good order; the logs are searched for secrets.
    pub async fn stop(self) {
        match self {
            Self::Embedded(platform) => {
                let (status, _) = platform.stop().await;
                assert!(status.success(), "the platform: {status}");
            }
            Self::Cluster(mut cluster) => cluster.stop().await,
            Self::Shared(_) => self.refuse(),
        }
    }

    /// Fails a test that would disturb others.
    fn refuse(&self) -> ! {
        panic!("this platform is shared: the test must start one of its own")
    }

    /// The one process, for tests of the binary itself.
    ///
    /// # Panics
    /// In a cluster.
    #[must_use]
    pub fn embedded(self) -> Platform {
        match self {
            Self::Embedded(platform) => *platform,
            Self::Cluster(_) => panic!("a test of the embedded shape runs on a cluster"),
            Self::Shared(_) => self.refuse(),
        }
    }
}

impl From<Platform> for Stack {
    fn from(platform: Platform) -> Self {
        Self::Embedded(Box::new(platform))
    }
}

impl From<Cluster> for Stack {
    fn from(cluster: Cluster) -> Self {
        Self::Cluster(Box::new(cluster))
    }
}
