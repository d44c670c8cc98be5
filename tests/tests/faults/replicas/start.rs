//! The start on an empty server.

use guildhall_catalog::{GATEWAY, SERVICES};
use guildhall_testkit::{Cluster, Plan, Rest};

#[tokio::test]
async fn processes_that_start_at_once_all_come_up() {
    let plan = Plan {
        demo: false,
        ..super::plan(3)
    };
    let cluster = Cluster::start_with(plan).await;
    for gateway in &cluster[GATEWAY] {
        let ready = Rest::new(gateway.url()).get("/readyz").send().await;
        ready.expect(200);
    }
    for service in SERVICES.iter().map(|service| service.name) {
        let twice = "SELECT count(*) - count(DISTINCT version) FROM seaql_migrations";
        let pool = cluster.database(service);
        let twice: i64 = sqlx::query_scalar(twice).fetch_one(&pool).await.unwrap();
        assert_eq!(twice, 0, "migrations of {service} that ran twice");
    }
}
