//! The metrics that a running platform shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use guildhall_testkit::{Cluster, Options, Plan, Platform, Rest, Shape, Stack};

use crate::Community;

/// How long a figure may take to become what a test waits for.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A community whose processes all show their metrics, in the shape that tests run on.
pub async fn with_metrics(rate_limit: u32) -> Community {
    with_metrics_of(Shape::of_tests(), rate_limit).await
}

/// The same in a shape of the test's choice.
pub async fn with_metrics_of(shape: Shape, rate_limit: u32) -> Community {
    let args = vec!["--metrics".to_owned(), "127.0.0.1:0".to_owned()];
    let options = Options {
        args: args.clone(),
        rate_limit,
        ..Options::default()
    };
    match shape {
        Shape::Embedded => Community::around(Platform::start_with(options).await).await,
        Shape::Cluster => {
            let plan = Plan {
                args,
                rate_limit,
                ..Plan::default()
            };
            Community::around(Cluster::start_with(plan).await).await
        }
    }
}

/// A sample: a figure and what distinguishes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name, with `_total`, `_bucket` and the like.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The figure.
    pub value: f64,
}

/// What all processes of a platform show.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    /// All samples of all processes.
    pub samples: Vec<Sample>,
    /// The names that are described (HELP), and those of a type (TYPE).
    pub described: BTreeSet<String>,
    /// The kind of each.
    pub kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// What all processes of `stack` show now.
    pub async fn of(stack: &Stack) -> Self {
        let mut all = Self::default();
        for url in stack.metrics() {
            let answer = Rest::new(&url).get("/metrics").send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            all.add(&answer.body);
        }
        all
    }

    /// Adds what a process shows.
    pub fn add(&mut self, text: &str) {
        assert!(text.ends_with("# EOF\n"), "it is whole");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a description");
                assert!(!help.trim().is_empty(), "{line}");
                self.described.insert(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                self.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                self.samples.push(sample(line));
            }
        }
    }

    /// The samples of a name that carry all of `labels`.
    pub fn samples<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let has = |(key, value): &(&str, &str)| {
                sample.labels.get(*key).map(String::as_str) == Some(*value)
            };
            sample.name == name && labels.iter().all(has)
        })
    }

    /// Their sum; none counts as 0, because a counter may not have been needed yet.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.samples(name, labels);
        samples.map(|sample| sample.value).sum()
    }

    /// How much this sum has grown since `before`.
    #[must_use]
    pub fn growth(&self, before: &Self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.sum(name, labels) - before.sum(name, labels)
    }
}

/// Waits until what `stack` shows is as it should be.
///
/// # Panics
/// When it is not in time.
pub async fn shows(stack: &Stack, what: &str, as_it_should: impl Fn(&Exposition) -> bool) {
    let wait = async {
        while !as_it_should(&Exposition::of(stack).await) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, wait).await;
    waited.unwrap_or_else(|_elapsed| panic!("it never shows {what}"));
}

/// Our labels hold no quotes and no commas.
fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let value = value.parse().expect("a number");
    let Some((name, labels)) = head.split_once('{') else {
        return Sample {
            name: head.to_owned(),
            labels: BTreeMap::new(),
            value,
        };
    };
    let labels = labels.strip_suffix('}').expect("an end of the labels");
    let labels = labels.split(',').filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (key, value) = label.split_once('=').expect("a label");
        let value = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        (key.to_owned(), value.expect("a quoted value").to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value,
    }
}
