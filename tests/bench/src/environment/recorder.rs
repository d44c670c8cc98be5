//! What a part of the bench has seen come, and how late; the bench asks it over HTTP.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::get};
use guildhall_runtime::Timestamp;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{Failure, Result, child::Child};

/// Where it is asked: GET tells, POST forgets.
const PATH: &str = "/figures";
/// The longest delay that is told apart, in milliseconds.
const LONGEST: u64 = 600_000;
/// How long anything here may take to come.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(20);
/// Nothing is under way any more when nothing has come for so long.
const QUIET: Duration = Duration::from_secs(1);

/// What has come since the recorder was last told to forget.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figures {
    /// How many, each counted once.
    pub count: u64,
    /// How often one came that had come already.
    pub repeats: u64,
    /// Seconds from the first to the last.
    pub span: f64,
    /// The median of how late they were, in milliseconds.
    pub p50: f64,
    /// How late 99 of 100 were at most.
    pub p99: f64,
    /// Bytes of the last one.
    pub bytes: usize,
}

/// What a part of the bench has seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    ids: HashSet<String>,
    count: u64,
    repeats: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    late: Histogram<u64>,
    bytes: usize,
}

impl Seen {
    fn nothing() -> Result<Self> {
        Ok(Self {
            ids: HashSet::new(),
            count: 0,
            repeats: 0,
            first: None,
            last: None,
            late: Histogram::new_with_max(LONGEST, 3)
                .map_err(|error| Failure::from(error.to_string()))?,
            bytes: 0,
        })
    }

    fn figures(&self) -> Figures {
        let span = self.first.zip(self.last);
        Figures {
            count: self.count,
            repeats: self.repeats,
            span: span.map_or(0.0, |(first, last)| (last - first).as_secs_f64()),
            p50: self.late.value_at_quantile(0.5) as f64,
            p99: self.late.value_at_quantile(0.99) as f64,
            bytes: self.bytes,
        }
    }
}

impl Recorder {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// Never in practice: the histogram's bounds are constants.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Seen::nothing()?))))
    }

    /// Things that happened then have come now.
    pub fn saw(&self, happened: &[Timestamp]) {
        let now = Timestamp::now().as_millis();
        let mut seen = self.0.lock();
        for then in happened {
            let late = u64::try_from(now - then.as_millis()).unwrap_or(0);
            seen.late.saturating_record(late);
        }
        seen.count += happened.len() as u64;
        let now = Instant::now();
        seen.first.get_or_insert(now);
        seen.last = Some(now);
    }

    /// One thing has come, which may come again and then counts as a repeat.
    pub fn saw_one(&self, id: &str, happened: Timestamp, bytes: usize) {
        let is_new = self.0.lock().ids.insert(id.to_owned());
        if is_new {
            self.saw(&[happened]);
            self.0.lock().bytes = bytes;
        } else {
            self.0.lock().repeats += 1;
        }
    }

    /// Answers what it has seen.
    pub fn router(&self) -> Router {
        let tell = async |State(Self(seen)): State<Self>| Json(seen.lock().figures());
        let forget = async |State(Self(seen)): State<Self>| {
            if let Ok(nothing) = Seen::nothing() {
                *seen.lock() = nothing;
            }
        };
        let router = Router::new().route(PATH, get(tell).post(forget));
        router.with_state(self.clone())
    }
}

/// A part of the bench that is a recorder, as the bench sees it.
#[derive(Debug)]
pub struct Asked {
    /// Held: its process ends with this.
    _child: Child,
    base: String,
    client: reqwest::Client,
}

impl Asked {
    /// Starts the part of the bench that these arguments name, with these variables.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(args: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let child = Child::start_with(args, variables).await?;
        let base = child.at("http")?.to_owned();
        Ok(Self {
            _child: child,
            base,
            client: reqwest::Client::new(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it has seen.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn figures(&self) -> Result<Figures> {
        let asked = self.client.get(format!("{}{PATH}", self.base)).send();
        Ok(asked.await?.error_for_status()?.json().await?)
    }

    /// From now on it counts anew.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn forget(&self) -> Result<()> {
        let asked = self.client.post(format!("{}{PATH}", self.base)).send();
        asked.await?.error_for_status()?;
        Ok(())
    }

    /// Waits until at least so many have come, and nothing more does.
    ///
    /// # Errors
    /// When they do not come, or do not end.
    pub async fn until_quiet(&self, count: u64) -> Result<Figures> {
        let mut came = self.until(count).await?;
        let quiet = async {
            loop {
                sleep(QUIET).await;
                let now = self.figures().await?;
                if now.count + now.repeats == came.count + came.repeats {
                    return Ok(now);
                }
                came = now;
            }
        };
        match timeout(TIMEOUT, quiet).await {
            Ok(quiet) => quiet,
            Err(_) => Err(format!("still more come after {TIMEOUT:?}").into()),
        }
    }

    /// Waits until so many have come.
    ///
    /// # Errors
    /// When they do not.
    pub async fn until(&self, count: u64) -> Result<Figures> {
        let reached = async {
            loop {
                let figures = self.figures().await?;
                if figures.count >= count {
                    return Ok(figures);
                }
                sleep(LOOK).await;
            }
        };
        match timeout(TIMEOUT, reached).await {
            Ok(reached) => reached,
            Err(_) => {
                let came = self.figures().await?.count;
                Err(format!("of {count} only {came} have come within {TIMEOUT:?}").into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_counts_once_and_how_late_it_was_is_told() {
        let recorder = Recorder::new().unwrap();
        let then = Timestamp::now().minus(Duration::from_millis(500));
        for id in ["a", "b", "a"] {
            recorder.saw_one(id, then, 7);
        }
        let figures = recorder.0.lock().figures();
        assert_eq!((figures.count, figures.repeats), (2, 1));
        assert_eq!(figures.bytes, 7);
        assert!((490.0..5_000.0).contains(&figures.p50), "{figures:?}");
    }
}
