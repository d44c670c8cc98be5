//! What is measured.

mod auth;
mod events;
mod hop;
mod list;
mod paired_run;
mod sampling;
mod send;
mod webhooks;

use clap::{ValueEnum, builder::PossibleValue};
use serde::Serialize;

use self::send::Clients;

use crate::{Result, environment::Environment, report::Outcome, settings::Settings};

/// A case, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// Durable sends over REST, 64 connections.
    SendRest64,
    /// The same with 256, against the floor's best number of clients.
    SendRest256,
    /// The same send by gRPC, straight to messaging.
    SendGrpc64,
    /// Sends over REST to one process on SQLite.
    SendEmbedded64,
    /// The newest messages of a long channel.
    List50,
    /// The same in a long channel and a short one.
    ListFlat,
    /// The oldest messages of a long channel and the newest.
    DeepPage,
    /// A request that needs a hop, and nothing stored.
    Hop,
    /// An RPC behind the access layer and without it.
    AuthLayer,
    /// Sends with a tenth of them traced and without traces.
    TraceSampling,
    /// Messages whose events a consumer keeps up with.
    EventsThroughput,
    /// From a message to the effect of its event.
    EventsLag,
    /// Deliveries to quick receivers.
    WebhooksOut,
    /// First attempts at healthy receivers beside a dead one.
    WebhooksIsolation,
}

/// Whether a ratio should be high or low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The figures are rates.
    More,
    /// The figures are times.
    Less,
}

/// What a case is called, measures and should reach.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What its figures are.
    pub unit: &'static str,
    /// Whether its ratio should be high or low.
    pub better: Better,
    /// What the ratio must reach.
    pub must: f64,
    /// What we want.
    pub goal: f64,
    /// A figure so close to its floor reaches what it must, whatever the ratio.
    pub slack: f64,
}

impl Target {
    const fn rate(name: &'static str, must: f64, goal: f64) -> Self {
        Self {
            name,
            unit: "/s",
            better: Better::More,
            must,
            goal,
            slack: 0.0,
        }
    }

    const fn time(name: &'static str, must: f64, goal: f64) -> Self {
        Self {
            name,
            unit: "µs",
            better: Better::Less,
            must,
            goal,
            slack: 0.0,
        }
    }

    const fn delay(name: &'static str, must: f64, goal: f64, slack: f64) -> Self {
        Self {
            unit: "ms",
            slack,
            ..Self::time(name, must, goal)
        }
    }
}

impl Case {
    /// What it is called, measures and should reach.
    #[must_use]
    pub const fn target(self) -> Target {
        match self {
            Self::SendRest64 => Target::rate("send-rest-64", 1.0, 2.0),
            Self::SendRest256 => Target::rate("send-rest-256", 1.0, 1.5),
            Self::SendGrpc64 => Target::rate("send-grpc-64", 1.3, 2.5),
            Self::SendEmbedded64 => Target::rate("send-embedded-64", 2.0, 4.0),
            Self::List50 => Target::rate("list-50", 0.2, 0.5),
            Self::ListFlat => Target::time("list-flat", 1.2, 1.05),
            Self::DeepPage => Target::time("deep-page", 1.2, 1.05),
            Self::Hop => Target::rate("hop", 0.6, 0.9),
            Self::AuthLayer => Target::rate("auth-layer", 0.9, 0.98),
            Self::TraceSampling => Target::rate("trace-sampling", 0.95, 0.99),
            Self::EventsThroughput => Target::rate("events-throughput", 0.4, 0.8),
            Self::EventsLag => Target::delay("events-lag", 250.0, 50.0, 0.0),
            Self::WebhooksOut => Target::rate("webhooks-out", 0.3, 0.7),
            Self::WebhooksIsolation => Target::delay("webhooks-isolation", 1.5, 1.1, 10.0),
        }
    }

    /// Whether it runs on the cluster that such cases share.
    fn shares_the_cluster(self) -> bool {
        match self {
            Self::SendRest64
            | Self::SendRest256
            | Self::SendGrpc64
            | Self::List50
            | Self::ListFlat
            | Self::DeepPage
            | Self::Hop => true,
            Self::SendEmbedded64
            | Self::AuthLayer
            | Self::TraceSampling
            | Self::EventsThroughput
            | Self::EventsLag
            | Self::WebhooksOut
            | Self::WebhooksIsolation => false,
        }
    }
}

impl ValueEnum for Case {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::SendRest64,
            Self::SendRest256,
            Self::SendGrpc64,
            Self::SendEmbedded64,
            Self::List50,
            Self::ListFlat,
            Self::DeepPage,
            Self::Hop,
            Self::AuthLayer,
            Self::TraceSampling,
            Self::EventsThroughput,
            Self::EventsLag,
            Self::WebhooksOut,
            Self::WebhooksIsolation,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.target().name))
    }
}

/// Runs the cases that are asked for; what they came to, and which PostgreSQL was used.
///
/// # Errors
/// When one of them cannot run.
pub async fn run(settings: &Settings) -> Result<(Vec<Outcome>, Option<String>)> {
    let mut cases = match settings.cases.as_slice() {
        [] => Case::value_variants().to_vec(),
        chosen => chosen.to_vec(),
    };
    // First those that share the cluster: nothing else runs beside a case.
    cases.sort_by_key(|case| (!case.shares_the_cluster(), *case));
    cases.dedup();
    let (mut done, mut environment, mut postgres) = (Vec::new(), None, None);
    for case in cases {
        if !case.shares_the_cluster() {
            environment = None;
        } else if environment.is_none() {
            let started = Environment::start().await?;
            postgres = Some(started.postgres());
            environment = Some(started);
        }
        done.push((case, measure(case, settings, environment.as_mut()).await?));
    }
    done.sort_by_key(|(case, _)| *case);
    Ok((
        done.into_iter().map(|(_, outcome)| outcome).collect(),
        postgres,
    ))
}

async fn measure(
    case: Case,
    settings: &Settings,
    environment: Option<&mut Environment>,
) -> Result<Outcome> {
    let cluster = || environment.ok_or("no cluster");
    match case {
        Case::SendRest64 => send::rest(case, settings, cluster()?, 64, Clients::Same).await,
        Case::SendRest256 => send::rest(case, settings, cluster()?, 256, Clients::Best).await,
        Case::SendGrpc64 => send::grpc(case, settings, cluster()?).await,
        Case::SendEmbedded64 => send::embedded(case, settings).await,
        Case::List50 => list::newest(case, settings, cluster()?).await,
        Case::ListFlat => list::flat(case, settings, cluster()?).await,
        Case::DeepPage => list::deep(case, settings, cluster()?).await,
        Case::Hop => hop::hop(case, settings, cluster()?).await,
        Case::AuthLayer => auth::layer(case, settings).await,
        Case::TraceSampling => sampling::tenth(case, settings).await,
        Case::EventsThroughput => events::throughput(case, settings).await,
        Case::EventsLag => events::lag(case, settings).await,
        Case::WebhooksOut => webhooks::out(case, settings).await,
        Case::WebhooksIsolation => webhooks::isolation(case, settings).await,
    }
}
