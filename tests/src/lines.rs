//! What processes have logged, line by line.

use guildhall_testkit::{Cluster, Platform};
use serde_json::{Map, Value};

/// A line of a log: a JSON object.
#[derive(Debug, Clone)]
pub struct Line {
    /// The process that wrote it.
    pub process: String,
    /// What it says.
    pub fields: Map<String, Value>,
}

impl Line {
    /// A field as text; empty when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        ["WARN", "ERROR"].contains(&self.get("level"))
    }
}

/// The lines of all processes of a cluster.
#[must_use]
pub fn of_cluster(cluster: &Cluster) -> Vec<Line> {
    let replicas = cluster.replicas();
    let lines = replicas.flat_map(|replica| read(replica.name(), &replica.log()));
    lines.collect()
}

/// The lines of the one process.
#[must_use]
pub fn of_platform(platform: &Platform) -> Vec<Line> {
    read("guildhall", &platform.log())
}

/// # Panics
/// When a line is none: who reads logs reads them all.
fn read(process: &str, log: &str) -> Vec<Line> {
    let lines = log.lines().map(|line| Line {
        process: process.to_owned(),
        fields: serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")),
    });
    lines.collect()
}

/// The lines of one request.
#[must_use]
pub fn of_request(lines: Vec<Line>, id: &str) -> Vec<Line> {
    let mut lines = lines;
    lines.retain(|line| line.get("request_id") == id);
    lines
}
