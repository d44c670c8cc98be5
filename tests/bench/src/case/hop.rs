//! A request that stores nothing: from JSON to protobuf to a service and back.

use super::{
    Case,
    race::{Race, at_once},
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
    let race = Race {
        case,
        settings,
        cast: environment.cast(),
        target: environment.community.gets(PATH)?,
        connections: CONNECTIONS,
    };
    let floor = async || {
        let tally = load::run(&bare, race.at(Pace::AsAnswered)).await?;
        Ok(race.sample(&tally))
    };
    Ok(race.run(at_once, floor).await?.0)
}
