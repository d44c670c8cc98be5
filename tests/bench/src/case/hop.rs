//! A request that stores nothing: from JSON to protobuf to a service and back.

use super::{
    Case,
    paired_run::{PairedRun, at_once},
};
use crate::{
    Result,
    child::Child,
    environment::Environment,
    floor::hop::PATH,
    load::{
        self, Pace,
        http1::{Http1, Request},
    },
    report::Outcome,
    settings::Settings,
};

/// Connections.
const CONNECTIONS: usize = 64;

/// `apikeys-info` on the cluster, against the bare hop.
pub async fn hop(case: Case, settings: &Settings, environment: &Environment) -> Result<Outcome> {
    let service = Child::start(&["floor-service"]).await?;
    let gateway = Child::start(&["floor-gateway", service.at("grpc")?]).await?;
    let request = Request {
        method: "GET",
        path: PATH.to_owned(),
        key: environment.community.demo.api_key.clone(),
        body: String::new(),
    };
    let bare = Http1::new(gateway.at("http")?, [request])?;
    let paired_run = PairedRun {
        case,
        settings,
        processes: environment.processes(),
        target: environment.community.gets(PATH)?,
        connections: CONNECTIONS,
    };
    let floor = async || {
        let tally = load::run(&bare, paired_run.at(Pace::AsAnswered)).await?;
        Ok(paired_run.sample(&tally))
    };
    Ok(paired_run.run(at_once, floor).await?.0)
}
