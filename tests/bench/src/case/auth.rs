//! What the access layer costs.

use guildhall_proto::identity::v1::GetCurrentApiKeyRequest;

use super::{
    Case,
    race::{Race, at_once},
};
use crate::{
    Result,
    child::Child,
    floor::auth::{KEY, METHOD},
    load::{self, Pace, grpc::Grpc},
    process::{Cast, Member},
    report::Outcome,
    settings::Settings,
};

/// Connections, with one call at a time each.
const CONNECTIONS: usize = 64;

/// An RPC that is answered from memory, behind the access layer and without it.
pub async fn layer(case: Case, settings: &Settings) -> Result<Outcome> {
    let service = Child::start(&["auth"]).await?;
    let calls = |name| Grpc::new(service.at(name)?, METHOD, KEY, [GetCurrentApiKeyRequest {}]);
    let without = calls("without")?;
    let race = Race {
        case,
        settings,
        cast: Cast::new().with("service", Member::Alone(service.pid()?)),
        target: calls("with")?,
        connections: CONNECTIONS,
    };
    let floor = async || {
        let tally = load::run(&without, race.at(Pace::AsAnswered)).await?;
        Ok(race.sample(&tally))
    };
    Ok(race.run(at_once, floor).await?.0)
}
