//! What a service's database lies in, for tests of a service by itself.

use std::path::Path;

use tempfile::TempDir;

use crate::{Postgres, stack::Shape};

/// A database's home in the shape that tests run on; it goes with this value.
#[derive(Debug)]
pub enum TestDatabase {
    /// A directory for SQLite files.
    Files(TempDir),
    /// A PostgreSQL server.
    Postgres(Box<Postgres>),
}

impl TestDatabase {
    /// An empty one.
    pub async fn new() -> Self {
        match Shape::of_tests() {
            Shape::Embedded => Self::files(),
            Shape::Cluster => Self::Postgres(Box::new(Postgres::start().await)),
        }
    }

    /// An empty directory, whatever the shape.
    #[must_use]
    pub fn files() -> Self {
        Self::Files(tempfile::tempdir().expect("a temporary directory"))
    }

    /// What is in it: the directory or the server's URL.
    pub fn open<T>(&self, files: impl FnOnce(&Path) -> T, postgres: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Files(directory) => files(directory.path()),
            Self::Postgres(server) => postgres(&server.url("test")),
        }
    }
}
