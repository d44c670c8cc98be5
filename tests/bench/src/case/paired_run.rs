//! What most cases have in common: a load on ours, another work as the floor, and a latency line.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use super::{Better, Case};
use crate::{
    Result,
    comparison::{self, Sample},
    load::{self, Load, Pace, Tally, Target},
    process::Processes,
    report::{HalfRate, Outcome},
    settings::Settings,
};

/// Our side of a case.
#[derive(Debug)]
pub struct PairedRun<'a, T> {
    /// The case.
    pub case: Case,
    /// How long it takes.
    pub settings: &'a Settings,
    /// Who takes part.
    pub processes: Processes,
    /// What is called.
    pub target: T,
    /// Over so many connections.
    pub connections: usize,
}

impl<T: Target> PairedRun<'_, T> {
    /// Runs it against a floor; `before` comes before each round of either side. What it came to,
    /// and how many calls of ours were acknowledged in all.
    ///
    /// # Errors
    /// When a side cannot run, or no round counts.
    pub async fn run(
        &self,
        before: impl AsyncFn() -> Result<()>,
        mut floor: impl AsyncFnMut() -> Result<Sample>,
    ) -> Result<(Outcome, u64)> {
        let mut acknowledged = 0;
        let ours = async || {
            before().await?;
            let tally = self.load(Pace::AsAnswered).await?;
            acknowledged += tally.acknowledged;
            Ok(self.sample(&tally))
        };
        let floor = async || {
            before().await?;
            floor().await
        };
        let comparison =
            comparison::compare(self.case, self.settings, &self.processes, ours, floor).await?;
        let mut outcome = Outcome::of(self.case, comparison);
        if self.case.target().better == Better::More {
            before().await?;
            let rate = outcome.ours / 2.0;
            let tally = self.load(Pace::PerSecond(rate)).await?;
            acknowledged += tally.acknowledged;
            match tally.flaw() {
                None => outcome.half = Some(half(rate, &tally)),
                Some(flaw) => outcome.invalid.push(format!("half of the rate: {flaw}")),
            }
        }
        Ok((outcome, acknowledged))
    }

    /// What a run says to this case.
    pub fn sample(&self, tally: &Tally) -> Sample {
        match self.case.target().better {
            Better::More => Sample::rate(tally),
            Better::Less => Sample::mean(tally),
        }
    }

    async fn load(&self, pace: Pace) -> Result<Tally> {
        load::run(&self.target, self.at(pace)).await
    }

    /// The load of one round.
    pub fn at(&self, pace: Pace) -> Load {
        Load {
            connections: self.connections,
            pace,
            time: self.time(),
        }
    }

    /// The time of one round.
    pub fn time(&self) -> Duration {
        self.settings.time()
    }
}

fn half(rate: f64, tally: &Tally) -> HalfRate {
    HalfRate {
        rate,
        p50: tally.quantile(0.5),
        p99: tally.quantile(0.99),
    }
}

/// Nothing is to be done before a round.
pub fn at_once() -> Ready<Result<()>> {
    ready(Ok(()))
}
