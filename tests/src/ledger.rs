//! What messaging has stored, read from its own database, and what must be true of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use guildhall_proto::events::v1::{Event, MessagePosted, event::Payload};
use guildhall_testkit::Cluster;
use prost::Message;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, FromQueryResult,
    SqlxPostgresConnector, Statement,
};

use crate::writer::Acknowledged;

/// A stored message.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its place among all messages.
    pub number: i64,
    /// Its channel.
    pub channel_id: String,
    /// Its place in the channel.
    pub seq: i64,
    /// Whether it is a direct message.
    pub direct: bool,
    /// Its text.
    pub text: String,
    /// The message that it replies to.
    pub parent_id: Option<String>,
    /// Its replies.
    pub reply_count: i64,
}

/// All messages and their events.
#[derive(Debug)]
pub struct Ledger {
    /// By channel and `seq`.
    pub rows: Vec<Row>,
    posted: Vec<MessagePosted>,
}

/// What became of the messages of writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Acknowledged, and not stored under its id and text.
    pub lost: usize,
    /// Stored beyond the first time.
    pub doubled: usize,
    /// Stored, and acknowledged to nobody.
    pub unacknowledged: usize,
}

impl Outcome {
    /// As it must be when every writer could finish.
    pub const CLEAN: Self = Self {
        lost: 0,
        doubled: 0,
        unacknowledged: 0,
    };
}

impl Ledger {
    /// Of the one process, in its data directory.
    pub async fn of_files(data_dir: &Path) -> Self {
        let file = data_dir.join("messaging.db");
        let url = format!("sqlite://{}?mode=ro", file.display());
        let database = Database::connect(ConnectOptions::new(url)).await;
        Self::read(&database.expect("messaging's file")).await
    }

    /// Of a cluster.
    pub async fn of(cluster: &Cluster) -> Self {
        let pool = cluster.database("messaging");
        Self::read(&SqlxPostgresConnector::from_sqlx_postgres_pool(pool)).await
    }

    async fn read(database: &DatabaseConnection) -> Self {
        let query = |text| Statement::from_string(database.get_database_backend(), text);
        let rows = "SELECT id, number, channel_id, seq, direct, text, parent_id, reply_count \
                    FROM messages ORDER BY channel_id, seq";
        let rows = Row::find_by_statement(query(rows)).all(database).await;
        let events = "SELECT payload FROM outbox ORDER BY position";
        let events = database.query_all_raw(query(events)).await.expect("events");
        let posted = events.iter().filter_map(|row| {
            let payload: Vec<u8> = row.try_get("", "payload").expect("a payload");
            let event = Event::decode(payload.as_slice()).expect("an event");
            let Payload::MessagePosted(posted) = event.payload.expect("what happened") else {
                return None;
            };
            Some(posted)
        });
        Self {
            rows: rows.expect("messages"),
            posted: posted.collect(),
        }
    }

    /// Asserts what holds at any time, whoever died: the counters have no gap, the orders agree,
    /// each message has its one event, in order, and its replies are counted.
    ///
    /// # Panics
    /// With what is not so.
    pub fn assert_sound(&self) {
        let mut replies: HashMap<&str, i64> = HashMap::new();
        for (channel, rows) in &self.by_channel() {
            for (row, seq) in rows.iter().zip(1..) {
                assert_eq!(row.seq, seq, "channel {channel} has a gap before {row:?}");
            }
            assert!(
                rows.is_sorted_by(|a, b| a.number < b.number),
                "the numbers of channel {channel} do not rise with its seq"
            );
        }
        for parent in self.rows.iter().filter_map(|row| row.parent_id.as_deref()) {
            *replies.entry(parent).or_default() += 1;
        }
        for row in &self.rows {
            let replies = replies.get(row.id.as_str()).copied().unwrap_or(0);
            assert_eq!(row.reply_count, replies, "replies of {row:?}");
        }
        self.assert_told();
    }

    /// One event a message, and those of a channel in its order; of a direct message without its text.
    fn assert_told(&self) {
        let mut told: BTreeMap<&str, Vec<&MessagePosted>> = BTreeMap::new();
        for posted in &self.posted {
            told.entry(&posted.channel_id).or_default().push(posted);
        }
        for (channel, rows) in self.by_channel() {
            let told = told.remove(channel).unwrap_or_default();
            let stored: Vec<_> = rows
                .iter()
                .map(|row| (row, if row.direct { "" } else { row.text.as_str() }))
                .map(|(row, text)| (row.id.as_str(), row.seq, text))
                .collect();
            let told: Vec<_> = told
                .iter()
                .map(|posted| (posted.message_id.as_str(), posted.seq, posted.text.as_str()))
                .collect();
            assert_eq!(told, stored, "the events of channel {channel}");
        }
        assert!(told.is_empty(), "events of messages that are not: {told:?}");
    }

    fn by_channel(&self) -> BTreeMap<&str, Vec<&Row>> {
        let mut channels: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            channels.entry(&row.channel_id).or_default().push(row);
        }
        channels
    }

    /// What became of the messages that writers wrote to `channels`, where nobody else wrote.
    ///
    /// # Panics
    /// When a writer's messages do not stand in the order in which it wrote them.
    #[must_use]
    pub fn outcome(&self, channels: &[String], acknowledged: &[Acknowledged]) -> Outcome {
        let written = self.rows.iter();
        let written: Vec<_> = written
            .filter(|row| channels.contains(&row.channel_id))
            .collect();
        let texts: HashSet<_> = written.iter().map(|row| &row.text).collect();
        let by_id: HashMap<_, _> = written.iter().map(|row| (&row.id, *row)).collect();
        let mut lost = 0;
        let mut last: HashMap<usize, i64> = HashMap::new();
        for message in acknowledged {
            let stored = by_id.get(&message.id);
            let Some(row) = stored.filter(|row| row.text == message.text) else {
                lost += 1;
                continue;
            };
            let before = last.insert(message.writer, row.seq).unwrap_or(0);
            assert!(before < row.seq, "{message:?} stands before an older one");
        }
        let known: HashSet<_> = acknowledged.iter().map(|message| &message.text).collect();
        Outcome {
            lost,
            doubled: written.len() - texts.len(),
            unacknowledged: texts.difference(&known).count(),
        }
    }
}
