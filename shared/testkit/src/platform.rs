//! The binary itself.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
    time::{Duration, Instant},
};

use crate::{
    Bootstrapped, Demo, Rest,
    folder::Folder,
    secret,
    service::{self, Service},
};

/// How a platform is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether to make the demo community.
    pub demo: bool,
    /// Requests per second and credential; 0 is off.
    pub rate_limit: u32,
    /// Whether webhooks reach receivers on this machine.
    pub private_receivers: bool,
    /// Further flags; everybody on the machine can read them.
    pub args: Vec<String>,
    /// Further variables, e.g. for a URL with a password.
    pub variables: Vec<(&'static str, String)>,
}

impl Options {
    /// What a platform allows on which tests have communities of their own.
    #[must_use]
    pub fn for_guests() -> Self {
        Self {
            private_receivers: true,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            demo: true,
            rate_limit: 0,
            private_receivers: false,
            args: Vec::new(),
            variables: Vec::new(),
        }
    }
}

/// A running platform. Dropping it kills it.
#[derive(Debug)]
pub struct Platform {
    service: Service,
    folder: Folder,
    options: Options,
    http: String,
    grpc: String,
    started_in: Duration,
}

impl Platform {
    /// Starts the platform with a demo community and no rate limit.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a platform on an empty data directory.
    pub async fn start_with(options: Options) -> Self {
        Self::start_in(Folder::new(), options).await
    }

    async fn start_in(folder: Folder, options: Options) -> Self {
        let begin = Instant::now();
        let args = arguments(&folder, &options);
        let service = Service::new("the platform", "guildhall", args, folder.join("log"));
        let variables = [limits(options.rate_limit), options.variables.clone()];
        let mut service = service.with(variables.concat());
        service.start().await;
        secret::learn_data_dir(&data(&folder));
        Self {
            http: service.address("http"),
            grpc: service.address("grpc"),
            service,
            folder,
            options,
            started_in: begin.elapsed(),
        }
    }

    /// Kills the process (SIGKILL) and starts another on the same data.
    pub async fn kill_and_restart(mut self) -> Self {
        self.service.kill9().await;
        Self::start_in(self.folder, self.options).await
    }

    /// Asks the process to stop (SIGTERM) and waits for it; its exit status and its log.
    pub async fn stop(self) -> (ExitStatus, String) {
        self.terminate().await;
        self.wait().await
    }

    /// Asks the process to stop (SIGTERM).
    pub async fn terminate(&self) {
        self.service.terminate().await;
    }

    /// Waits for the process to end; its exit status and its log.
    pub async fn wait(mut self) -> (ExitStatus, String) {
        (self.service.wait().await, self.log())
    }

    /// Stops the process (SIGTERM) and starts another with `options` on the same data.
    pub async fn restart_with(mut self, options: Options) -> Self {
        self.service.stop().await;
        Self::start_in(self.folder, options).await
    }

    /// Base of the REST contract.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Base of the gRPC services.
    #[must_use]
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// Where it shows its metrics; it was started with `--metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.service.address("metrics")
    }

    /// What it said on standard output before its line `ready`.
    #[must_use]
    pub fn greeting(&self) -> &[String] {
        self.service.greeting()
    }

    /// From the start of the process to its line `ready`.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// A REST client.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(&self.http)
    }

    /// The demo community.
    #[must_use]
    pub fn demo(&self) -> Demo {
        Demo::read(&self.data_dir())
    }

    /// Makes another community beside the running platform, as an operator does.
    pub async fn bootstrap(&self, name: &str, owner_email: &str) -> Bootstrapped {
        Bootstrapped::printed(
            &self
                .command(&Bootstrapped::command(name, owner_email))
                .await,
        )
    }

    /// Runs a command of the binary on the same data, until it ends by itself.
    pub async fn command(&self, args: &[&str]) -> Output {
        self.command_in(&self.data_dir(), args).await
    }

    /// Runs the binary on another data directory, until it ends by itself.
    pub async fn command_in(&self, data_dir: &Path, args: &[&str]) -> Output {
        let mut command = service::command("guildhall");
        command.arg("--data-dir").arg(data_dir).args(args);
        service::output(command).await
    }

    /// Where its data lies.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        data(&self.folder)
    }

    /// The file of its log.
    pub(crate) fn log_file(&self) -> &Path {
        self.service.log_file()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.service.log()
    }
}

/// Variables of a platform with this limit of requests: all tests call from one address, so without
/// the one limit there is none for addresses either.
pub(crate) fn limits(rate_limit: u32) -> Vec<(&'static str, String)> {
    match rate_limit {
        0 => vec![("GUILDHALL_CALLER_RATE_LIMIT", "0".to_owned())],
        _ => Vec::new(),
    }
}

fn data(folder: &Folder) -> PathBuf {
    folder.join("data")
}

fn arguments(folder: &Folder, options: &Options) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--data-dir".into(), data(folder).into()];
    let addresses = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    args.extend(addresses.map(OsString::from));
    args.extend(["--rate-limit".into(), options.rate_limit.to_string().into()]);
    if options.private_receivers {
        args.push("--webhooks-allow-private".into());
    }
    args.extend(options.args.iter().map(OsString::from));
    if options.demo {
        args.push("--demo".into());
    }
    args
}
