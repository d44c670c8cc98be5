//! From domain events to deliveries: what is looked up before they are queued.

use std::collections::HashMap;

use guildhall_data::{CommunityId, WebhookId};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Reason, Result};

use crate::{
    Webhooks,
    domain::{
        EventKind,
        payload::{self, Story},
    },
    store::deliveries::NewDelivery,
    subscriptions,
};

/// An event that somebody is told of.
struct Told<'a> {
    event: &'a Event,
    story: Story,
    to: Vec<(WebhookId, EventKind)>,
}

impl Webhooks {
    /// The deliveries of some events, to be [queued](crate::store::deliveries::queue) in the
    /// transaction that notes that they were heard of. After it committed, [`wake`](Self::wake)
    /// their webhooks.
    ///
    /// # Errors
    /// UNREACHABLE when identity or the database cannot say: try again.
    pub async fn prepare(&self, events: &[Event]) -> Result<Vec<NewDelivery>> {
        let mut communities: HashMap<_, Vec<_>> = HashMap::new();
        for event in events {
            if let Some(told) = self.told(event).await? {
                let community = told.story.community;
                communities.entry(community).or_default().push(told);
            }
        }
        let mut deliveries = Vec::new();
        for (community, told) in communities {
            deliveries.extend(self.written(community, &told).await?);
        }
        Ok(deliveries)
    }

    /// Who is told of an event; none when nobody is.
    async fn told<'a>(&self, event: &'a Event) -> Result<Option<Told<'a>>> {
        let story = match Story::of(event) {
            Ok(Some(story)) => story,
            Ok(None) => return Ok(None),
            // It would never be understood: those behind it must not wait.
            Err(error) => {
                tracing::error!(event = event.id, %error, "an event cannot be read");
                return Ok(None);
            }
        };
        let all = self.0.subscriptions.of(story.community).await?;
        let to: Vec<_> = subscriptions::told(&story, &all).collect();
        Ok((!to.is_empty()).then_some(Told { event, story, to }))
    }

    async fn written(&self, community: CommunityId, told: &[Told<'_>]) -> Result<Vec<NewDelivery>> {
        let name = match self.0.directory.name(community).await {
            Ok(name) => name,
            // It is gone, and nobody is left to be told.
            Err(error) if error.reason() == Reason::CommunityNotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let users = told.iter().filter_map(|told| told.story.user);
        let users = self.0.directory.users(community, users).await?;
        let mut deliveries = Vec::new();
        for Told { event, story, to } in told {
            let user = story.user.and_then(|id| users.get(&id));
            for (webhook, kind) in to {
                let body = payload::body(event, story, *kind, &name, user.map(|user| &**user))?;
                deliveries.push(NewDelivery {
                    community,
                    webhook: *webhook,
                    kind: *kind,
                    event_id: payload::event_id(event, *kind),
                    event_time: story.time,
                    body,
                });
            }
        }
        Ok(deliveries)
    }
}
