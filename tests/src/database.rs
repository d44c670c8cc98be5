//! What the services have stored, read past them.

use std::{fs, path::Path};

use guildhall_testkit::Stack;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

/// The databases of all services of a platform, by service.
///
/// # Panics
/// When they cannot be listed.
pub async fn all(platform: &Stack) -> Vec<(String, DatabaseConnection)> {
    let services = match platform.database_url() {
        None => files(&platform.data_dir()),
        Some(url) => on_server(&url).await,
    };
    let mut databases = Vec::new();
    for service in services {
        let database = of(platform, &service).await;
        databases.push((service, database));
    }
    databases
}

/// The database of a service; of a file, it only reads.
///
/// # Panics
/// When it cannot be opened.
pub async fn of(platform: &Stack, service: &str) -> DatabaseConnection {
    let url = match platform.database_url() {
        None => {
            let file = platform.data_dir().join(format!("{service}.db"));
            format!("sqlite://{}?mode=ro", file.display())
        }
        Some(url) => format!("{url}_{service}"),
    };
    open(url).await
}

async fn open(url: String) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a database")
}

fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the data directory");
    let names = files.map(|file| file.expect("a file").file_name());
    let mut services: Vec<_> = names
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".db")?.to_owned()))
        .collect();
    services.sort();
    services
}

async fn on_server(url: &str) -> Vec<String> {
    let (server, prefix) = url.rsplit_once('/').expect("a prefix");
    let server = open(format!("{server}/postgres")).await;
    let query =
        format!("SELECT datname FROM pg_database WHERE datname LIKE '{prefix}\\_%' ORDER BY 1");
    let query = Statement::from_string(DbBackend::Postgres, query);
    let rows = server.query_all_raw(query).await.expect("databases");
    let names = rows.iter().map(|row| row.try_get::<String>("", "datname"));
    let names = names.map(|name| name.expect("a name"));
    let services = names.map(|name| name[prefix.len() + 1..].to_owned());
    services.collect()
}
