//! The real platform, and what is in it before a case begins.

pub mod community;
pub mod ledger;
pub mod lists;
pub mod receiver;
pub mod recorder;

use guildhall_testkit::{Cluster, Plan};

use crate::{
    Result,
    environment::{
        community::{Community, TEXT},
        lists::Lists,
    },
    floor::pgbench::{Pgbench, Script},
    process::{Member, Processes},
};

/// Connections to PostgreSQL: pgbench's 256 and ours. Statements are shown whole to who looks at
/// what messaging runs.
const SETTINGS: [&str; 2] = ["max_connections=400", "track_activity_query_size=16384"];

/// The cluster that most cases share, and pgbench on the same server.
#[derive(Debug)]
pub struct Environment {
    /// The cluster.
    pub cluster: Cluster,
    /// What is called in it.
    pub community: Community,
    /// Its floor.
    pub pgbench: Pgbench,
    lists: Option<Lists>,
}

/// How many rows there are of what a send writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Messages.
    pub messages: i64,
    /// Their events.
    pub events: i64,
    /// What the channels' counters add up to.
    pub counted: i64,
}

impl Stored {
    /// Checks that what was acknowledged since `before` is what was stored since.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(self, before: Self, acknowledged: u64) -> Result<()> {
        let Self {
            messages,
            events,
            counted,
        } = self;
        let stored = [
            messages - before.messages,
            events - before.events,
            counted - before.counted,
        ];
        if stored
            .iter()
            .any(|rows| u64::try_from(*rows) != Ok(acknowledged))
        {
            return Err(format!(
                "{acknowledged} sends were acknowledged, but stored were {stored:?} messages, \
                 events and places in channels"
            )
            .into());
        }
        Ok(())
    }
}

impl Environment {
    /// Starts the cluster.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        let cluster = cluster(Vec::new()).await?;
        let community = Community::prepare(cluster.http(), cluster.demo()).await;
        let pgbench = Pgbench::beside(&cluster).await?;
        Ok(Self {
            cluster,
            community,
            pgbench,
            lists: None,
        })
    }

    /// What PostgreSQL says of itself.
    #[must_use]
    pub fn postgres(&self) -> String {
        self.cluster.postgres.version().to_owned()
    }

    /// The channels to list, made when they are first asked for.
    ///
    /// # Errors
    /// When they cannot be filled.
    pub async fn lists(&mut self, messages: u32) -> Result<Lists> {
        if let Some(lists) = &self.lists {
            return Ok(lists.clone());
        }
        let lists = Lists::fill(&self.cluster, &self.community, messages).await?;
        self.lists = Some(lists.clone());
        Ok(lists)
    }

    /// pgbench's send, with an event as long as ours.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn send_script(&self) -> Result<Script> {
        self.community.send_to_all().await;
        let length = "SELECT max(length(payload)) FROM outbox";
        let messaging = self.cluster.database("messaging");
        let event: i32 = sqlx::query_scalar(length).fetch_one(&messaging).await?;
        self.pgbench.send(TEXT, usize::try_from(event)?)
    }

    /// The rows that there are.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub async fn stored(&self) -> Result<Stored> {
        stored(&self.cluster).await
    }

    /// Writes to the tables what a side has left in memory, so that the other pays nothing for it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn checkpoint(&self) -> Result<()> {
        checkpoint(&self.cluster).await
    }

    /// Who takes part.
    #[must_use]
    pub fn processes(&self) -> Processes {
        processes(&self.cluster)
    }
}

/// A cluster with these variables.
///
/// # Errors
/// When it does not start.
pub async fn cluster(variables: Vec<(&'static str, String)>) -> Result<Cluster> {
    let plan = Plan {
        variables,
        ..plan()
    };
    Ok(Cluster::try_start_with(plan).await?)
}

/// What every cluster consists of.
#[must_use]
pub fn plan() -> Plan {
    Plan {
        settings: SETTINGS.map(str::to_owned).to_vec(),
        ..Plan::default()
    }
}

/// The processes of a cluster.
#[must_use]
pub fn processes(cluster: &Cluster) -> Processes {
    let mut processes = Processes::new()
        .with("postgres", Member::Family(cluster.postgres.pid()))
        .with("nats", Member::Alone(cluster.nats.pid()));
    for kind in guildhall_catalog::processes() {
        for replica in &cluster[kind] {
            processes = processes.with(kind.name, Member::Alone(replica.pid()));
        }
    }
    processes
}

/// See [`Environment::stored`].
///
/// # Errors
/// When they cannot be counted.
pub async fn stored(cluster: &Cluster) -> Result<Stored> {
    let query = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM outbox),
                        (SELECT sum(last_seq)::bigint FROM channels)";
    let messaging = cluster.database("messaging");
    let counted = sqlx::query_as(query).fetch_one(&messaging);
    let (messages, events, counted) = counted.await?;
    Ok(Stored {
        messages,
        events,
        counted,
    })
}

/// See [`Environment::checkpoint`].
///
/// # Errors
/// When the server refuses.
pub async fn checkpoint(cluster: &Cluster) -> Result<()> {
    let pool = cluster.postgres.pool("postgres");
    sqlx::raw_sql("CHECKPOINT").execute(&pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_acknowledged_send_must_be_stored_and_nothing_else() {
        let stored = |messages, events, counted| Stored {
            messages,
            events,
            counted,
        };
        let before = stored(5, 7, 6);
        assert!(stored(15, 17, 16).check(before, 10).is_ok());
        for wrong in [stored(14, 17, 16), stored(15, 18, 16), stored(15, 17, 15)] {
            assert!(wrong.check(before, 10).is_err(), "{wrong:?}");
        }
        assert!(before.check(stored(15, 17, 16), 10).is_err());
    }
}
