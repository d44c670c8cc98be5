//! Both sides of a ratio, in turn.

use std::collections::BTreeMap;

use crate::{Result, case::Case, load::Tally, process::Processes, settings::Settings};

/// What a round of one side came to.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The figure.
    pub value: f64,
    /// Calls that were answered.
    pub calls: u64,
    /// The median time of a call, in milliseconds.
    pub p50: f64,
    /// The time within which 99 of 100 were answered.
    pub p99: f64,
    /// Why it must not count.
    pub flaw: Option<String>,
}

impl Sample {
    /// A figure that somebody else has measured.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self {
            value,
            calls: 0,
            p50: 0.0,
            p99: 0.0,
            flaw: None,
        }
    }

    /// Calls per second.
    #[must_use]
    pub fn rate(tally: &Tally) -> Self {
        Self::measured(tally, tally.rate())
    }

    /// The mean time of a call, in microseconds.
    #[must_use]
    pub fn mean(tally: &Tally) -> Self {
        Self::measured(tally, tally.mean())
    }

    fn measured(tally: &Tally, value: f64) -> Self {
        Self {
            value,
            calls: tally.acknowledged,
            p50: tally.quantile(0.5),
            p99: tally.quantile(0.99),
            flaw: tally.flaw(),
        }
    }
}

/// All rounds that count.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Our rounds.
    pub ours: Vec<Sample>,
    /// Those of the floor.
    pub floor: Vec<Sample>,
    /// Why other rounds do not count.
    pub flaws: Vec<String>,
    /// Microseconds on a core per call of ours, by process.
    pub cpu: BTreeMap<&'static str, f64>,
    /// The most memory in use, KiB, by process.
    pub memory: BTreeMap<&'static str, u64>,
}

/// Runs both sides, one after the other and each first in every other round; a round before the
/// first warms everything up.
///
/// # Errors
/// When a side cannot run, or no round counts.
pub async fn compare(
    case: Case,
    settings: &Settings,
    processes: &Processes,
    mut ours: impl AsyncFnMut() -> Result<Sample>,
    mut floor: impl AsyncFnMut() -> Result<Sample>,
) -> Result<Comparison> {
    let (name, mut comparison, mut calls) = (case.target().name, Comparison::default(), 0);
    for round in 0..=settings.rounds {
        let early = match round % 2 {
            0 => None,
            _ => Some(floor().await?),
        };
        let before = processes.time();
        let mine = ours().await?;
        let used = processes.time();
        let theirs = match early {
            Some(theirs) => theirs,
            None => floor().await?,
        };
        let called = match round {
            0 => "warm-up".to_owned(),
            _ => format!("round {round}"),
        };
        eprintln!(
            "{name}, {called}: ours {:.1}, floor {:.1}",
            mine.value, theirs.value
        );
        if let Some(flaw) = mine.flaw.as_ref().or(theirs.flaw.as_ref()) {
            eprintln!("{name}, {called} does not count: {flaw}");
            comparison.flaws.push(format!("{called}: {flaw}"));
            continue;
        }
        if round > 0 {
            calls += mine.calls;
            for (who, time) in used {
                *comparison.cpu.entry(who).or_default() += time - before.get(who).unwrap_or(&time);
            }
            comparison.ours.push(mine);
            comparison.floor.push(theirs);
        }
    }
    if comparison.ours.is_empty() {
        return Err(format!("{name}: no round counts; {}", comparison.flaws.join("; ")).into());
    }
    comparison
        .cpu
        .values_mut()
        .for_each(|time| *time /= calls as f64);
    comparison.memory = processes.memory();
    Ok(comparison)
}

/// The middle of some figures; of an even number, the mean of the two in the middle.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<_> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    match sorted.len() % 2 {
        1 => at(middle),
        _ => (at(middle.wrapping_sub(1)) + at(middle)) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use clap::Parser;

    use super::*;

    #[test]
    fn the_median_does_not_care_for_order_or_outliers() {
        assert_eq!(median([9.0, 1.0, 1000.0]), 9.0);
        assert_eq!(median([4.0, 1.0, 2.0, 1000.0]), 3.0);
        assert!(median([]).is_nan());
    }

    fn settings() -> Settings {
        Settings::parse_from(["guildhall-bench", "--rounds", "4"])
    }

    #[tokio::test]
    async fn the_sides_take_turns_and_the_first_round_does_not_count() {
        let log = RefCell::new(String::new());
        let side = async |name: char| {
            log.borrow_mut().push(name);
            Ok(Sample::of(log.borrow().len() as f64))
        };
        let (ours, floor) = (async || side('o').await, async || side('f').await);
        let processes = Processes::default();
        let comparison = compare(Case::Hop, &settings(), &processes, ours, floor)
            .await
            .unwrap();
        assert_eq!(log.borrow().as_str(), "offooffoof");
        assert_eq!((comparison.ours.len(), comparison.floor.len()), (4, 4));
    }

    #[tokio::test]
    async fn a_round_with_a_wrong_answer_does_not_count() {
        let turn = RefCell::new(0);
        let ours = async || {
            *turn.borrow_mut() += 1;
            let mut sample = Sample::of(1.0);
            sample.flaw = (*turn.borrow() == 3).then(|| "status 500".to_owned());
            Ok(sample)
        };
        let floor = async || Ok(Sample::of(1.0));
        let processes = Processes::default();
        let comparison = compare(Case::Hop, &settings(), &processes, ours, floor)
            .await
            .unwrap();
        assert_eq!(comparison.ours.len(), 3);
        assert_eq!(comparison.flaws, ["round 2: status 500"]);
    }
}
