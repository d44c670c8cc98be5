//! What traces cost when one request of ten is traced.

use super::{Case, paired_run::PairedRun};
use crate::{
    Result,
    child::Child,
    environment::{self, checkpoint, community::Community, stored},
    floor::sink::RECEIVED,
    load::{self, Pace},
    report::Outcome,
    settings::Settings,
};

/// Connections.
const CONNECTIONS: usize = 64;

/// Sends over REST on a cluster that exports traces, against those on one that does not.
pub async fn tenth(case: Case, settings: &Settings) -> Result<Outcome> {
    let sink = Child::start(&["sink"]).await?;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", sink.at("otlp")?),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ];
    let variables = variables.map(|(name, value)| (name, value.to_owned()));
    let traced = environment::cluster(variables.into()).await?;
    let plain = environment::cluster(Vec::new()).await?;
    let there = Community::prepare(traced.http(), traced.demo()).await;
    let here = Community::prepare(plain.http(), plain.demo())
        .await
        .sends()?;
    let paired_run = PairedRun {
        case,
        settings,
        processes: environment::processes(&traced),
        target: there.sends()?,
        connections: CONNECTIONS,
    };
    let before = stored(&traced).await?;
    let flushed = async || {
        checkpoint(&traced).await?;
        checkpoint(&plain).await
    };
    let floor = async || {
        let tally = load::run(&here, paired_run.at(Pace::AsAnswered)).await?;
        Ok(paired_run.sample(&tally))
    };
    let (outcome, acknowledged) = paired_run.run(flushed, floor).await?;
    if outcome.invalid.is_empty() {
        stored(&traced).await?.check(before, acknowledged)?;
    }
    if !sink.has_said(RECEIVED) {
        return Err("trace-sampling: no trace was exported, so nothing was measured".into());
    }
    Ok(outcome)
}
