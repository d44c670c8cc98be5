//! Events: from a send over outbox and NATS to the effect in a consumer.

use std::time::Duration;

use guildhall_testkit::Cluster;
use tokio::time::{Instant, sleep, sleep_until};

use super::Case;
use crate::{
    Result,
    comparison::{self, Comparison, Sample},
    environment::{self, community::Community, recorder::Asked},
    load::{self, Load, Pace, Tally, http1::Http1},
    report::Outcome,
    settings::Settings,
};

/// Connections.
const CONNECTIONS: usize = 64;
/// The next rate to try, when the queue grew with the last one.
const LESS: f64 = 0.9;
/// Events that the queue may have more at the end than early on: a batch is on its way.
const BATCH: f64 = 512.0;
/// How long the consumer may take for all that waits for it.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The most messages per second that a consumer keeps up with, against as many sends as there can
/// be without it.
pub async fn throughput(case: Case, settings: &Settings) -> Result<Outcome> {
    let stage = Stage::start().await?;
    let mut floor = stage.alone(settings, settings.rounds.div_ceil(2)).await?;
    let ledger = stage.ledger().await?;
    let processes = environment::processes(&stage.cluster);
    let held = stage
        .hold_what_it_can(&ledger, settings.sustained())
        .await?;
    stage.check(&ledger).await?;
    drop(ledger);
    floor.extend(stage.alone(settings, settings.rounds / 2).await?);
    let comparison = Comparison {
        ours: vec![held.sample()],
        floor,
        memory: processes.memory(),
        ..Comparison::default()
    };
    let mut outcome = Outcome::of(case, comparison);
    outcome.notes.push(held.to_string());
    Ok(outcome)
}

/// How long an event takes from its cause to its effect, at half of that rate.
pub async fn lag(case: Case, settings: &Settings) -> Result<Outcome> {
    let stage = Stage::start().await?;
    let ledger = stage.ledger().await?;
    let held = stage
        .hold_what_it_can(&ledger, settings.sustained() / 6)
        .await?;
    let processes = environment::processes(&stage.cluster);
    let ours = async || {
        stage.drained(&ledger).await?;
        ledger.forget().await?;
        let tally = stage.load(Pace::PerSecond(held.handled / 2.0), settings.time());
        let tally = tally.await?;
        let effects = ledger.until(tally.acknowledged).await?;
        Ok(Sample {
            value: effects.p99,
            calls: tally.acknowledged,
            p50: effects.p50,
            p99: effects.p99,
            flaw: tally.flaw(),
        })
    };
    let millisecond = async || Ok(Sample::of(1.0));
    let comparison = comparison::compare(case, settings, &processes, ours, millisecond).await?;
    stage.check(&ledger).await?;
    let mut outcome = Outcome::of(case, comparison);
    let rate = held.handled / 2.0;
    outcome.notes.push(format!(
        "no floor: the limits are milliseconds, from a message's time, which is before its commit, \
         to the commit of the effect, at {rate:.0} messages a second"
    ));
    Ok(outcome)
}

/// A cluster to which messages are sent.
struct Stage {
    cluster: Cluster,
    sends: Http1,
}

/// What a consumer did while messages were sent.
struct Held {
    /// Messages per second that were acknowledged.
    sent: f64,
    /// Events per second that were handled.
    handled: f64,
    /// Events on their way after a third of the time, and at its end.
    queue: [i64; 2],
    time: Duration,
    tally: Tally,
}

impl Stage {
    async fn start() -> Result<Self> {
        let cluster = environment::cluster(Vec::new()).await?;
        let community = Community::prepare(cluster.http(), cluster.demo()).await;
        Ok(Self {
            sends: community.sends()?,
            cluster,
        })
    }

    /// Sends as fast as they are answered, while nobody but the platform itself handles events.
    async fn alone(&self, settings: &Settings, rounds: u16) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for round in 0..=rounds {
            environment::checkpoint(&self.cluster).await?;
            let tally = self.load(Pace::AsAnswered, settings.time()).await?;
            if let Some(flaw) = tally.flaw() {
                return Err(flaw.into());
            }
            eprintln!("events, sends alone: {:.1}", tally.rate());
            if round > 0 {
                samples.push(Sample::rate(&tally));
            }
        }
        Ok(samples)
    }

    /// Starts the consumer, and waits until it has everything.
    async fn ledger(&self) -> Result<Asked> {
        // Both have a password.
        let (database, broker) = (self.cluster.postgres.url("bench"), self.cluster.nats.url());
        let variables = [
            ("GUILDHALL_BENCH_DATABASE", database.as_str()),
            ("GUILDHALL_BENCH_BROKER", &broker),
        ];
        let secret = self.cluster.secret_key_file();
        let ledger = Asked::start(&["ledger", &secret], &variables).await?;
        self.drained(&ledger).await?;
        Ok(ledger)
    }

    /// Finds a rate with which the queue does not grow, and holds it for so long.
    async fn hold_what_it_can(&self, ledger: &Asked, time: Duration) -> Result<Held> {
        let mut pace = Pace::AsAnswered;
        loop {
            let mut held = self.hold(ledger, pace, time / 6).await?;
            if !held.grows() {
                held = self.hold(ledger, pace, time).await?;
            }
            eprintln!("events: {held}");
            if !held.grows() {
                return Ok(held);
            }
            pace = Pace::PerSecond(held.sent * LESS);
        }
    }

    async fn hold(&self, ledger: &Asked, pace: Pace, time: Duration) -> Result<Held> {
        self.drained(ledger).await?;
        environment::checkpoint(&self.cluster).await?;
        ledger.forget().await?;
        let before = self.written().await?;
        let begin = Instant::now();
        let watch = async {
            sleep_until(begin + time / 3).await;
            let early = self.written().await? - before - count(ledger).await?;
            sleep_until(begin + time).await;
            let handled = count(ledger).await?;
            Ok::<_, crate::Failure>((early, handled, self.written().await? - before - handled))
        };
        let (tally, watched) = tokio::join!(self.load(pace, time), watch);
        let (tally, (early, handled, late)) = (tally?, watched?);
        if let Some(flaw) = tally.flaw() {
            return Err(flaw.into());
        }
        Ok(Held {
            sent: tally.rate(),
            handled: handled as f64 / time.as_secs_f64(),
            queue: [early, late],
            time,
            tally,
        })
    }

    async fn load(&self, pace: Pace, time: Duration) -> Result<Tally> {
        let load = Load {
            connections: CONNECTIONS,
            pace,
            time,
        };
        load::run(&self.sends, load).await
    }

    /// The position of the newest event.
    async fn written(&self) -> Result<i64> {
        let newest = "SELECT coalesce(max(position), 0) FROM outbox";
        let messaging = self.cluster.database("messaging");
        Ok(sqlx::query_scalar(newest).fetch_one(&messaging).await?)
    }

    /// Waits until the consumer has all that was published.
    async fn drained(&self, ledger: &Asked) -> Result<()> {
        let begin = Instant::now();
        loop {
            let [published, entries, _] = self.counts().await?;
            if published == entries {
                return Ok(());
            }
            if begin.elapsed() > TIMEOUT {
                return Err(format!("of {published} events only {entries} are handled").into());
            }
            // It must be alive at least.
            ledger.figures().await?;
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Checks that each event had its effect once.
    async fn check(&self, ledger: &Asked) -> Result<()> {
        self.drained(ledger).await?;
        match self.counts().await? {
            [published, entries, distinct] if published == entries && entries == distinct => Ok(()),
            counts => Err(format!("published, effects, events with effects: {counts:?}").into()),
        }
    }

    /// How many events were published, how many effects there are, and of how many events.
    async fn counts(&self) -> Result<[i64; 3]> {
        let messaging = self.cluster.database("messaging");
        let published = "SELECT count(*) FROM outbox";
        let published = sqlx::query_scalar(published).fetch_one(&messaging).await?;
        let ledger = self.cluster.postgres.pool("bench_ledger");
        let entries = "SELECT count(*), count(DISTINCT event_id) FROM entries";
        let (entries, distinct) = sqlx::query_as(entries).fetch_one(&ledger).await?;
        Ok([published, entries, distinct])
    }
}

async fn count(ledger: &Asked) -> Result<i64> {
    Ok(i64::try_from(ledger.figures().await?.count)?)
}

impl Held {
    /// Whether the queue grew, by more than what is on its way at any time.
    fn grows(&self) -> bool {
        let [early, late] = self.queue;
        let came = self.sent * self.time.as_secs_f64();
        (late - early) as f64 > BATCH + came / 100.0
    }

    fn sample(&self) -> Sample {
        Sample {
            value: self.handled,
            ..Sample::rate(&self.tally)
        }
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            sent,
            handled,
            queue: [early, late],
            time,
            ..
        } = self;
        write!(
            f,
            "{sent:.0} sends and {handled:.0} effects a second for {time:?}, queue {early} early \
             and {late} at the end"
        )
    }
}
