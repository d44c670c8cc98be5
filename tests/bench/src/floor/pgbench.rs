//! PostgreSQL's own pgbench, on the server that ours runs on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use guildhall_testkit::Cluster;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::process::Command;
use url::Url;

use super::tables;
use crate::{Failure, Result};

/// The database of the floor.
const DATABASE: &str = "floor";
/// Threads of pgbench.
const THREADS: usize = 2;
/// Seconds beside the round's: its clock runs while it logs in, which its rate leaves out.
const LOGIN: u64 = 1;
/// Seconds after which no transaction is a failure.
const TIMEOUT: u64 = 30;
/// A send: one row of each table and a COMMIT.
const SEND: &str = include_str!("send.sql");

/// A statement or transaction that pgbench repeats.
#[derive(Debug)]
pub struct Script {
    file: PathBuf,
    database: String,
    variables: Vec<(String, String)>,
}

/// pgbench and the server that it works on.
#[derive(Debug)]
pub struct Pgbench {
    program: PathBuf,
    server: Url,
    scripts: TempDir,
}

/// What pgbench found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Transactions per second, connecting left out.
    pub rate: f64,
}

impl Pgbench {
    /// pgbench on the cluster's server, with a database of its own.
    ///
    /// # Errors
    /// When it is not installed, or the database cannot be made.
    pub async fn beside(cluster: &Cluster) -> Result<Self> {
        let program = find(cluster.postgres.bin())?;
        let make = format!("CREATE DATABASE {DATABASE} OWNER guildhall");
        let pool = cluster.postgres.pool("postgres");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&pool).await?;
        let floor = cluster.postgres.pool(DATABASE);
        tables::copy(&cluster.database("messaging"), &floor).await?;
        for table in tables::TABLES {
            let owned = format!("ALTER TABLE {table} OWNER TO guildhall");
            sqlx::raw_sql(AssertSqlSafe(owned)).execute(&floor).await?;
        }
        Ok(Self {
            program,
            server: Url::parse(&cluster.postgres.url(DATABASE))?,
            scripts: tempfile::tempdir()?,
        })
    }

    /// The script of a send. The texts are as long as those that ours stores.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn send(&self, text: &str, event: usize) -> Result<Script> {
        let id = "c".repeat(24);
        let variables = [
            ("turn", "0".to_owned()),
            ("community", id.clone()),
            ("user", id[..21].to_owned()),
            ("text", text.to_owned()),
            ("payload", "e".repeat(event)),
        ];
        self.script("send", SEND, DATABASE, variables)
    }

    /// A script of other text on a database of the same server.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn script<'a>(
        &self,
        name: &str,
        text: &str,
        database: &str,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Script> {
        let file = self.scripts.path().join(format!("{name}.sql"));
        fs::write(&file, text)?;
        let variables = variables.into_iter();
        Ok(Script {
            file,
            database: database.to_owned(),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    /// Runs a script.
    ///
    /// # Errors
    /// When pgbench gives up, or a transaction of it fails.
    pub async fn run(&self, script: &Script, clients: usize, time: Duration) -> Result<Found> {
        let mut seconds = time.as_secs_f64().ceil() as u64;
        loop {
            let output = self.output(script, clients, seconds + LOGIN).await?;
            let found = Found::parse(&output)?;
            // On a busy machine, logging in may have taken all the time.
            if found.rate > 0.0 || seconds > TIMEOUT {
                return Ok(found);
            }
            seconds *= 2;
        }
    }

    async fn output(&self, script: &Script, clients: usize, seconds: u64) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared"]);
        command.arg(format!("--client={clients}"));
        command.arg(format!("--jobs={}", THREADS.min(clients)));
        command.arg(format!("--time={seconds}"));
        command.arg(format!("--define=base={}", base()?));
        for (name, value) in &script.variables {
            command.arg(format!("--define={name}={value}"));
        }
        command.arg("--file").arg(&script.file);
        self.sign_in(&mut command, &script.database);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = output.await?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("pgbench ({}): {error}", output.status).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The number of clients with which a script is fastest.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn best(&self, script: &Script, time: Duration) -> Result<usize> {
        let (mut best, mut rate) = (0, 0.0);
        for clients in [16, 32, 64, 128, 256] {
            let found = self.run(script, clients, time).await?;
            eprintln!("  pgbench, {clients} clients: {:.0}/s", found.rate);
            if found.rate > rate {
                (best, rate) = (clients, found.rate);
            }
        }
        Ok(best)
    }

    /// In its arguments, everybody on the machine could read the password.
    fn sign_in(&self, command: &mut Command, database: &str) {
        let port = self.server.port().unwrap_or(5432).to_string();
        command
            .env("PGHOST", self.server.host_str().unwrap_or_default())
            .env("PGPORT", port)
            .env("PGUSER", self.server.username())
            .env("PGPASSWORD", self.server.password().unwrap_or_default())
            .env("PGDATABASE", database);
    }
}

impl Found {
    /// No transaction.
    const NOTHING: Self = Self { rate: 0.0 };

    fn parse(output: &str) -> Result<Self> {
        let after = |line: &str, word: &str| -> Option<f64> {
            let rest = line.strip_prefix(word)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let lines = || output.lines();
        if let Some(failed) =
            lines().find_map(|line| after(line, "number of failed transactions: "))
            && failed > 0.0
        {
            return Err(format!("{failed} transactions of pgbench failed").into());
        }
        // Before version 14 there is a second line, with the time of connecting included.
        let rates = lines().filter(|line| !line.contains("(including"));
        let rate = rates.filter_map(|line| after(line, "tps = ")).next_back();
        match rate {
            Some(rate) => Ok(Self { rate }),
            None if output.contains("actually processed: 0\n") => Ok(Self::NOTHING),
            None => Err(format!("pgbench told no rate: {output}").into()),
        }
    }
}

/// The program beside the server's own, else in the PATH.
fn find(beside: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(beside.to_owned()).chain(std::env::split_paths(&path));
    let mut programs = folders.map(|folder| folder.join("pgbench"));
    programs.find(|program| program.is_file()).ok_or_else(|| {
        Failure::from(
            "pgbench is not there: install it (Debian: postgresql, Fedora: postgresql-contrib), or \
             name the folder of a PostgreSQL that has it with GUILDHALL_POSTGRES_BIN",
        )
    })
}

/// A number below which no run before has written: microseconds.
fn base() -> Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
pgbench (15.18)
transaction type: send.sql
number of transactions actually processed: 9177
number of failed transactions: 0 (0.000%)
latency average = 6.540 ms
initial connection time = 71.5 ms
tps = 9786.120034 (without initial connection time)
";

    #[test]
    fn what_pgbench_prints_is_read() {
        let found = Found::parse(OUTPUT).unwrap();
        assert_eq!(found.rate, 9786.120034);
    }

    #[test]
    fn an_older_pgbench_is_read_too() {
        let older = "latency average = 1.0 ms\n\
                     tps = 90.0 (including connections establishing)\n\
                     tps = 95.5 (excluding connections establishing)\n";
        assert_eq!(Found::parse(older).unwrap().rate, 95.5);
    }

    #[test]
    fn failed_transactions_are_no_floor() {
        let failed = OUTPUT.replace("transactions: 0", "transactions: 3");
        assert!(Found::parse(&failed).is_err());
        assert!(Found::parse("nothing").is_err());
    }

    #[test]
    fn a_run_that_only_logged_in_has_no_rate() {
        let output = "number of transactions actually processed: 0\n\
                      number of failed transactions: 0 (NaN%)\n";
        assert_eq!(Found::parse(output).unwrap(), Found::NOTHING);
    }
}
