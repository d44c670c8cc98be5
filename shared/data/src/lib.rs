//! How a service keeps its data: connection, migrations, ids, pages, idempotency, group commit
