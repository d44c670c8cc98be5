//! Webhooks: how fast deliveries go out, and whether they keep out of each other's way.

use guildhall_catalog::WEBHOOKS;
use guildhall_testkit::{Cluster, Plan};
use serde_json::json;

use super::Case;
use crate::{
    Result,
    comparison::{self, Sample},
    environment::{
        self,
        community::Community,
        receiver::{DEAD, QUICK, UNSEEN},
        recorder::{Asked, Figures},
    },
    floor::posts::Posts,
    load::{self, Load, Pace, Tally},
    report::Outcome,
    settings::Settings,
};

/// Webhooks whose deliveries are counted, each told of every message.
const OUT: usize = 4;
/// Connections of the bare client, and of those who send.
const CONNECTIONS: usize = 64;
/// Webhooks of which one may be dead.
const ISOLATED: usize = 10;
/// Messages per second that all of those are told of.
const RATE: f64 = 50.0;
/// A round begins when the dead one has been dead for as many times its own length.
const WARM_UP: u32 = 3;

/// Deliveries of events that wait, against a bare loop that calls the same receiver.
pub async fn out(case: Case, settings: &Settings) -> Result<Outcome> {
    let stage = Stage::start().await?;
    for number in 0..OUT {
        let url = format!("{}{QUICK}/{number}", stage.receiver.base());
        stage.subscribe(&url).await;
    }
    let bytes = stage.length_of_a_delivery().await?;
    let bare = Posts::new(&format!("{}{UNSEEN}", stage.receiver.base()), bytes)?;
    let processes = environment::processes(&stage.cluster);
    let ours = async || {
        stage.receiver.forget().await?;
        environment::checkpoint(&stage.cluster).await?;
        let webhooks = stage.cluster[WEBHOOKS].first().ok_or("no webhooks")?;
        webhooks.pause().await;
        // Sends are quicker: as many deliveries as last for a round or so.
        let sent = stage.send(settings, Pace::AsAnswered, 4).await;
        webhooks.resume().await;
        let deliveries = sent?.acknowledged * OUT as u64;
        let came = stage.receiver.until(deliveries).await?;
        Ok(Sample {
            value: (came.count - 1) as f64 / came.span,
            calls: came.count,
            p50: came.p50,
            p99: came.p99,
            flaw: flaw(came, deliveries),
        })
    };
    let calls = async |connections| {
        let load = Load {
            connections,
            pace: Pace::AsAnswered,
            time: settings.time(),
        };
        Ok(Sample::rate(&load::run(&bare, load).await?))
    };
    let floor = async || calls(1).await;
    let comparison = comparison::compare(case, settings, &processes, ours, floor).await?;
    let at_once = calls(CONNECTIONS).await?.value;
    let mut outcome = Outcome::of(case, comparison);
    outcome.notes.push(format!(
        "{OUT} webhooks; the events wait in the stream when a round begins, so that p50 and p99 \
         say when the last of them was delivered; floor: one loop, {bytes} bytes a call; \
         {CONNECTIONS} such loops at once make {at_once:.0} calls a second"
    ));
    Ok(outcome)
}

/// What is wrong with what came instead of `deliveries`: without a fault, each is attempted once.
fn flaw(came: Figures, deliveries: u64) -> Option<String> {
    let Figures { count, repeats, .. } = came;
    let as_expected = count == deliveries && repeats == 0;
    (!as_expected)
        .then(|| format!("{count} of {deliveries} deliveries came, {repeats} of them twice"))
}

/// How long healthy webhooks wait for their first attempt when one of ten is dead, against when
/// none is.
pub async fn isolation(case: Case, settings: &Settings) -> Result<Outcome> {
    let stage = Stage::start().await?;
    let processes = environment::processes(&stage.cluster);
    let dead = format!("{}{DEAD}", stage.receiver.base());
    let healthy = format!("{}{UNSEEN}", stage.receiver.base());
    let ours = async || stage.delays(settings, &dead).await;
    let floor = async || stage.delays(settings, &healthy).await;
    let comparison = comparison::compare(case, settings, &processes, ours, floor).await?;
    let mut outcome = Outcome::of(case, comparison);
    outcome.notes.push(format!(
        "{RATE} messages a second, each to {ISOLATED} webhooks; p99 from a message's time to its \
         arrival at the healthy ones"
    ));
    Ok(outcome)
}

/// A cluster and a receiver of its webhooks.
struct Stage {
    cluster: Cluster,
    community: Community,
    receiver: Asked,
}

impl Stage {
    async fn start() -> Result<Self> {
        let plan = Plan {
            private_receivers: true,
            ..environment::plan()
        };
        let cluster = Cluster::try_start_with(plan).await?;
        let community = Community::prepare(cluster.http(), cluster.demo()).await;
        Ok(Self {
            cluster,
            community,
            receiver: Asked::start(&["receiver"], &[]).await?,
        })
    }

    /// Makes a webhook that is told of every message; its id.
    async fn subscribe(&self, url: &str) -> String {
        let body = json!({ "name": "Bench", "url": url, "events": ["message_posted"] });
        let call = self
            .community
            .rest
            .post("/v1/webhooks/outgoing")
            .json(&body);
        let made = call.bearer(&self.community.demo.api_key).send().await;
        made.expect(201)["data"]["_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn unsubscribe(&self, id: &str) {
        let path = format!("/v1/webhooks/outgoing/{id}");
        let call = self.community.rest.delete(&path);
        let call = call.bearer(&self.community.demo.api_key);
        call.send().await.expect(200);
    }

    async fn length_of_a_delivery(&self) -> Result<usize> {
        self.receiver.forget().await?;
        let messages = self.community.send_to_all().await;
        // All of them, and those of messages that were sent shortly before the webhooks were made:
        // the next round must not count them.
        let came = self.receiver.until_quiet((OUT * messages) as u64).await?;
        Ok(came.bytes)
    }

    /// Sends for a part of a round.
    async fn send(&self, settings: &Settings, pace: Pace, part: u32) -> Result<Tally> {
        let load = Load {
            connections: CONNECTIONS,
            pace,
            time: settings.time() / part,
        };
        let tally = load::run(&self.community.sends()?, load).await?;
        match tally.flaw() {
            None => Ok(tally),
            Some(flaw) => Err(flaw.into()),
        }
    }

    /// How late deliveries come at healthy webhooks while there is one with this address, too.
    async fn delays(&self, settings: &Settings, other: &str) -> Result<Sample> {
        let mut webhooks = vec![self.subscribe(other).await];
        for number in 1..ISOLATED {
            let url = format!("{}{QUICK}/{number}", self.receiver.base());
            webhooks.push(self.subscribe(&url).await);
        }
        for _ in 0..WARM_UP {
            self.send(settings, Pace::PerSecond(RATE), 1).await?;
        }
        self.receiver.forget().await?;
        let tally = self.send(settings, Pace::PerSecond(RATE), 1).await?;
        let healthy = tally.acknowledged * (ISOLATED as u64 - 1);
        let came = self.receiver.until(healthy).await?;
        for webhook in &webhooks {
            self.unsubscribe(webhook).await;
        }
        Ok(Sample {
            value: came.p99,
            calls: came.count,
            p50: came.p50,
            p99: came.p99,
            flaw: None,
        })
    }
}
