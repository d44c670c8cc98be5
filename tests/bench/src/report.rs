//! How figures are shown: a table for people, JSON for all else.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::{
    case::{Better, Case, Target},
    comparison::{Comparison, Sample, median},
    machine::Machine,
};

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// On what.
    pub machine: Machine,
    /// Seconds of a round.
    pub seconds: f64,
    /// The cases.
    pub cases: Vec<Outcome>,
}

impl Report {
    /// The cases that miss what they must reach.
    pub fn missed(&self) -> impl Iterator<Item = &Outcome> {
        let missed = |case: &&Outcome| case.verdict == Verdict::Missed;
        self.cases.iter().filter(missed)
    }
}

/// What a case came to.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The case.
    pub name: &'static str,
    /// Our figure, the median of all rounds.
    pub ours: f64,
    /// That of the floor.
    pub floor: f64,
    /// Ours by the floor's.
    pub ratio: f64,
    /// What the figures are.
    pub unit: &'static str,
    /// The median time of one of our calls at that rate, in milliseconds; the median of all rounds.
    pub p50: f64,
    /// The time within which 99 of 100 were answered.
    pub p99: f64,
    /// Rounds that count.
    pub rounds: usize,
    /// Whether the ratio should be high or low.
    pub better: Better,
    /// What it must reach.
    pub must: f64,
    /// What we want.
    pub goal: f64,
    /// What it reaches.
    pub verdict: Verdict,
    /// Our figure of each round.
    pub ours_rounds: Vec<f64>,
    /// That of the floor.
    pub floor_rounds: Vec<f64>,
    /// Why other rounds do not count.
    pub invalid: Vec<String>,
    /// Latency with calls at half of that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half: Option<HalfRate>,
    /// Microseconds on a core per call, by process.
    pub cpu_micros_per_call: BTreeMap<&'static str, f64>,
    /// The most memory in use, KiB, by process.
    pub peak_memory_kib: BTreeMap<&'static str, u64>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Latency at half of the top rate, in milliseconds, from the planned beginning of each call.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct HalfRate {
    /// Calls per second.
    pub rate: f64,
    /// The median.
    pub p50: f64,
    /// The time within which 99 of 100 were answered.
    pub p99: f64,
}

/// What a ratio reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// What we want.
    Goal,
    /// What it must.
    Must,
    /// Neither.
    Missed,
}

impl Verdict {
    fn of(ours: f64, floor: f64, target: &Target) -> Self {
        let ratio = ours / floor;
        let reaches = |wanted: f64| match target.better {
            Better::More => ratio >= wanted,
            Better::Less => ratio <= wanted,
        };
        let is_close = (ours - floor).abs() <= target.slack;
        match (reaches(target.goal), reaches(target.must) || is_close) {
            (true, _) => Self::Goal,
            (false, true) => Self::Must,
            (false, false) => Self::Missed,
        }
    }
}

impl Outcome {
    /// The medians of a comparison.
    #[must_use]
    pub fn of(case: Case, comparison: Comparison) -> Self {
        let values = |side: &[Sample]| side.iter().map(|sample| sample.value).collect::<Vec<_>>();
        let middle = |of: fn(&Sample) -> f64| median(comparison.ours.iter().map(of));
        let (target, ours, floor) = (
            case.target(),
            values(&comparison.ours),
            values(&comparison.floor),
        );
        let (our, its) = (median(ours.iter().copied()), median(floor.iter().copied()));
        Self {
            name: target.name,
            ours: our,
            floor: its,
            ratio: our / its,
            unit: target.unit,
            p50: middle(|sample| sample.p50),
            p99: middle(|sample| sample.p99),
            rounds: ours.len(),
            better: target.better,
            must: target.must,
            goal: target.goal,
            verdict: Verdict::of(our, its, &target),
            ours_rounds: ours,
            floor_rounds: floor,
            invalid: comparison.flaws,
            half: None,
            cpu_micros_per_call: comparison.cpu,
            peak_memory_kib: comparison.memory,
            notes: Vec::new(),
        }
    }

    fn sign(&self) -> char {
        match self.better {
            Better::More => '≥',
            Better::Less => '≤',
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "\n{}, {} cores, {} MiB, Linux {}, {}, {:.0} µs a flush{}{}\n",
            machine.cpu,
            machine.cores,
            machine.memory_mib,
            machine.kernel,
            machine.file_system,
            machine.flush_micros,
            machine.postgres.as_ref().map_or("", |_| ", "),
            machine.postgres.as_deref().unwrap_or_default(),
        )?;
        writeln!(
            f,
            "{:<17}{:>10}{:>10} {:<4}{:>7}{:>8}{:>7}  {:<8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>7}",
            "case",
            "ours",
            "floor",
            "",
            "ratio",
            "must",
            "goal",
            "reached",
            "p50 ms",
            "p99 ms",
            "half /s",
            "p50 ms",
            "p99 ms",
            "spread",
        )?;
        self.cases.iter().try_for_each(|case| row(f, case))?;
        self.cases.iter().try_for_each(|case| details(f, case))
    }
}

fn row(f: &mut fmt::Formatter<'_>, case: &Outcome) -> fmt::Result {
    let reached = match case.verdict {
        Verdict::Goal => "goal",
        Verdict::Must => "must",
        Verdict::Missed => "MISSED",
    };
    let must = format!("{} {}", case.sign(), case.must);
    write!(
        f,
        "{:<17}{:>10.0}{:>10.0} {:<4}{:>7.2}{must:>8}{:>7}  {reached:<8}{:>9.2}{:>9.2}",
        case.name, case.ours, case.floor, case.unit, case.ratio, case.goal, case.p50, case.p99,
    )?;
    match case.half {
        Some(half) => write!(f, "{:>9.0}{:>9.2}{:>9.2}", half.rate, half.p50, half.p99)?,
        None => write!(f, "{:>27}", "")?,
    }
    writeln!(f, "{:>6.0}%", 100.0 * spread(&case.ours_rounds))
}

fn details(f: &mut fmt::Formatter<'_>, case: &Outcome) -> fmt::Result {
    write!(f, "\n{}: µs on a core per call:", case.name)?;
    for (name, time) in &case.cpu_micros_per_call {
        write!(f, " {name} {time:.0}")?;
    }
    write!(f, "; MiB at most:")?;
    for (name, kib) in &case.peak_memory_kib {
        write!(f, " {name} {}", kib / 1024)?;
    }
    for note in &case.notes {
        write!(f, "\n  {note}")?;
    }
    for flaw in &case.invalid {
        write!(f, "\n  does not count: {flaw}")?;
    }
    Ok(())
}

/// How far the rounds lie apart, as a part of their median.
fn spread(rounds: &[f64]) -> f64 {
    let most = rounds.iter().copied().fold(f64::MIN, f64::max);
    let least = rounds.iter().copied().fold(f64::MAX, f64::min);
    (most - least) / median(rounds.iter().copied())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn report(ours: &[f64], floor: &[f64]) -> Report {
        let samples = |values: &[f64]| values.iter().copied().map(Sample::of).collect();
        let comparison = Comparison {
            ours: samples(ours),
            floor: samples(floor),
            ..Comparison::default()
        };
        let machine = Machine {
            cpu: "A processor".to_owned(),
            cores: 2,
            memory_mib: 4096,
            kernel: "6.1".to_owned(),
            file_system: "ext4".to_owned(),
            flush_micros: 500.0,
            postgres: None,
        };
        Report {
            machine,
            seconds: 4.0,
            cases: vec![Outcome::of(Case::ListFlat, comparison)],
        }
    }

    #[test]
    fn the_report_has_the_form_that_was_agreed() {
        let report = report(&[110.0, 120.0, 900.0], &[100.0, 90.0, 400.0]);
        let json: Value = serde_json::to_value(&report).unwrap();
        assert!(json["machine"]["cpu"].is_string());
        let case = &json["cases"][0];
        for figure in ["ours", "floor", "ratio", "p50", "p99", "rounds"] {
            assert!(case[figure].is_number(), "{figure}");
        }
        assert_eq!(case["name"], "list-flat");
        assert_eq!(case["unit"], "µs");
        assert_eq!(
            (&case["ours"], &case["floor"]),
            (&120.0.into(), &100.0.into())
        );
        assert_eq!((&case["ratio"], &case["rounds"]), (&1.2.into(), &3.into()));
    }

    #[test]
    fn where_less_is_better_more_is_missed() {
        let reached = |ours| report(&[ours], &[100.0]).cases[0].verdict;
        assert_eq!(reached(104.0), Verdict::Goal);
        assert_eq!(reached(115.0), Verdict::Must);
        assert_eq!(reached(130.0), Verdict::Missed);
        assert!(report(&[130.0], &[100.0]).to_string().contains("MISSED"));
        assert_eq!(report(&[130.0], &[100.0]).missed().count(), 1);
        assert_eq!(report(&[115.0], &[100.0]).missed().count(), 0);
    }
}
