//! What the access layer costs.

use guildhall_proto::identity::v1::GetCurrentApiKeyRequest;

use super::{
    Case,
    paired_run::{PairedRun, at_once},
};
use crate::{
    Result,
    child::Child,
    floor::auth::{KEY, METHOD},
    load::{self, Pace, grpc::Grpc},
    process::{Member, Processes},
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
    let paired_run = PairedRun {
        case,
        settings,
        processes: Processes::new().with("service", Member::Alone(service.pid()?)),
        target: calls("with")?,
        connections: CONNECTIONS,
    };
    let floor = async || {
        let tally = load::run(&without, paired_run.at(Pace::AsAnswered)).await?;
        Ok(paired_run.sample(&tally))
    };
    Ok(paired_run.run(at_once, floor).await?.0)
}
