//! A platform that many tests share: each of them has a community of its own on it.
//!
//! `guildhall-test-platform COMMAND` starts it, runs the command, and stops it. The tests that the
//! command runs find it by [`VARIABLE`], which names a file that only we may read.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Output,
    thread,
};

use guildhall_catalog::{self as catalog, IDENTITY, MESSAGING, SERVICES};
use serde::{Deserialize, Serialize};

use crate::{
    Bootstrapped, Cluster, Platform, Shape, Stack, grpc::Services, process, secret, service,
};

/// The variable that names the file with the description of the shared platform.
pub const VARIABLE: &str = "GUILDHALL_TEST_PLATFORM";

/// How a shared platform is reached, as the file says it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Description {
    shape: Shape,
    http: String,
    /// Where each service is reached over gRPC, by name.
    services: BTreeMap<String, String>,
    data_dir: PathBuf,
    /// The file with the secret that seals what is sealed.
    secret_key: PathBuf,
    /// The database server of a cluster, with its password.
    database_url: Option<String>,
    nats_url: Option<String>,
    logs: Vec<PathBuf>,
    /// Where tests write down which secrets they made.
    secrets: PathBuf,
}

/// A platform that another process has started, in use by one test.
///
/// When it is dropped, what the platform has logged meanwhile is searched for the test's secrets,
/// and they are written down for a last search when the platform ends.
#[derive(Debug)]
pub struct SharedPlatform {
    description: Description,
    /// The logs, and how long each was when the test began.
    logs: Vec<(PathBuf, u64)>,
}

impl SharedPlatform {
    /// The one that these tests share, if they do.
    ///
    /// # Panics
    /// When it has another shape than the tests ask for, or its file cannot be read.
    #[must_use]
    pub fn of_tests() -> Option<Self> {
        let file = env::var_os(VARIABLE)?;
        let json = fs::read(file).expect("the description of the shared platform");
        let description: Description = serde_json::from_slice(&json).expect("a description");
        let shape = description.shape;
        assert_eq!(shape, Shape::of_tests(), "the shared platform's shape");
        secret::learn_data_dir(&description.data_dir);
        let length = |log: &PathBuf| fs::metadata(log).map_or(0, |log| log.len());
        let logs = description.logs.iter().cloned();
        Some(Self {
            logs: logs.map(|log| (log.clone(), length(&log))).collect(),
            description,
        })
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.description.shape
    }

    /// Base of the REST contract.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.description.http
    }

    /// Where messaging is served over gRPC.
    #[must_use]
    pub fn grpc(&self) -> &str {
        self.url(MESSAGING)
    }

    /// Where identity is served over gRPC.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.url(IDENTITY)
    }

    fn url(&self, service: &catalog::Service) -> &str {
        &self.description.services[service.name]
    }

    /// Connections to all services.
    pub async fn services(&self) -> Services {
        Services::connect(|service| self.url(service).to_owned()).await
    }

    /// Where its data lies.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.description.data_dir
    }

    /// The file with its secret.
    #[must_use]
    pub fn secret_key(&self) -> &Path {
        &self.description.secret_key
    }

    /// The database server of a cluster.
    #[must_use]
    pub fn database_url(&self) -> Option<&str> {
        self.description.database_url.as_deref()
    }

    /// Makes another community beside the running platform, as an operator does.
    pub async fn bootstrap(&self, name: &str, owner_email: &str) -> Bootstrapped {
        Bootstrapped::printed(
            &self
                .command(&Bootstrapped::command(name, owner_email))
                .await,
        )
    }

    /// Runs a command of `guildhall` on its data, until it ends by itself.
    pub async fn command(&self, args: &[&str]) -> Output {
        let description = &self.description;
        let mut command = service::command("guildhall");
        command
            .env("GUILDHALL_DATA_DIR", &description.data_dir)
            .env("GUILDHALL_SECRET_KEY_FILE", &description.secret_key);
        let urls = [
            ("GUILDHALL_DATABASE_URL", &description.database_url),
            ("GUILDHALL_NATS_URL", &description.nats_url),
        ];
        for (name, url) in urls {
            command.envs(url.iter().map(|url| (name, url)));
        }
        command.args(args);
        service::output(command).await
    }

    /// Looks for this test's secrets in what was logged since it began.
    fn search(&self) {
        for (path, begin) in &self.logs {
            let Ok(mut log) = File::open(path) else {
                continue;
            };
            if log.seek(SeekFrom::Start(*begin)).is_ok() {
                secret::assert_none_in(&path.display().to_string(), log);
            }
        }
    }
}

impl Drop for SharedPlatform {
    fn drop(&mut self) {
        if thread::panicking() {
            for (path, _) in &self.logs {
                eprintln!("{}:\n{}", path.display(), process::tail(path));
            }
        }
        secret::write_down(&self.description.secrets);
        self.search();
    }
}

/// Writes into `folder` what tests must know to share `stack`; the value of [`VARIABLE`].
#[must_use]
pub fn describe(stack: &Stack, folder: &Path) -> PathBuf {
    let description = match stack {
        Stack::Embedded(platform) => of_platform(platform, folder),
        Stack::Cluster(cluster) => of_cluster(cluster, folder),
        Stack::Shared(_) => panic!("it is shared already"),
    };
    let file = folder.join("platform.json");
    secret::write(&description.secrets, "");
    let json = serde_json::to_string(&description).expect("a description");
    secret::write(&file, &json);
    file
}

/// Learns the secrets that tests have written down, so that the logs are searched for them when the
/// platform ends.
pub fn learn_secrets(folder: &Path) {
    secret::learn_written(&secrets(folder));
}

fn secrets(folder: &Path) -> PathBuf {
    folder.join("secrets.jsonl")
}

fn urls(url: impl Fn(&catalog::Service) -> String) -> BTreeMap<String, String> {
    let services = SERVICES.iter();
    services
        .map(|service| (service.name.to_owned(), url(service)))
        .collect()
}

fn of_platform(platform: &Platform, folder: &Path) -> Description {
    Description {
        shape: Shape::Embedded,
        http: platform.http().to_owned(),
        services: urls(|_| platform.grpc().to_owned()),
        data_dir: platform.data_dir(),
        secret_key: platform.data_dir().join("secret.key"),
        database_url: None,
        nats_url: None,
        logs: vec![platform.log_file().to_owned()],
        secrets: secrets(folder),
    }
}

fn of_cluster(cluster: &Cluster, folder: &Path) -> Description {
    let logs = cluster
        .replicas()
        .map(|replica| replica.log_file().to_owned());
    Description {
        shape: Shape::Cluster,
        http: cluster.http().to_owned(),
        services: urls(|service| cluster.url(service).to_owned()),
        data_dir: cluster.data_dir(),
        secret_key: cluster.secret_key_file().into(),
        database_url: Some(cluster.database_url()),
        nats_url: Some(cluster.nats.url()),
        logs: logs.collect(),
        secrets: secrets(folder),
    }
}
