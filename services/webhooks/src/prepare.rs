//! From domain events to deliveries: what is looked up before they are queued.

use std::{collections::HashMap, sync::Arc};

use guildhall_data::{CommunityId, UserId, WebhookId};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Reason, Result};

use crate::{
    Webhooks,
    domain::{
        EventKind,
        payload::{self, Person, Story},
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
    /// The deliveries of each event, to be [queued](crate::store::deliveries::queue) in the
    /// transaction that notes that it was heard of; none where nobody is told. After it committed,
    /// [`wake`](Self::wake) their webhooks.
    ///
    /// # Errors
    /// For all, UNREACHABLE when identity or the database cannot say; for each, when it cannot be
    /// read.
    pub async fn prepare(
        &self,
        events: &[&Event],
    ) -> Result<Vec<Result<Option<Vec<NewDelivery>>>>> {
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            told.push(self.told(event).await?);
        }
        let mut users: HashMap<_, Vec<_>> = HashMap::new();
        for told in told.iter().flatten().flatten() {
            let of_community = users.entry(told.story.community).or_default();
            of_community.extend(told.story.user);
        }
        let mut cast = HashMap::with_capacity(users.len());
        for (community, users) in users {
            cast.insert(community, self.cast(community, users).await?);
        }
        let deliveries = told.into_iter().map(|told| match told {
            Ok(Some(told)) => match cast.get(&told.story.community) {
                Some(Some(cast)) => told.written(cast).map(Some),
                // The community is gone, and nobody is left to be told.
                Some(None) | None => Ok(None),
            },
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        });
        Ok(deliveries.collect())
    }

    /// Who is told of an event; none when nobody is.
    async fn told<'a>(&self, event: &'a Event) -> Result<Result<Option<Told<'a>>>> {
        let story = match Story::of(event) {
            Ok(Some(story)) => story,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        let all = self.0.subscriptions.of(story.community).await?;
        let to: Vec<_> = subscriptions::told(&story, &all).collect();
        Ok(Ok((!to.is_empty()).then_some(Told { event, story, to })))
    }

    /// What payloads say of a community and some of its users; none when it is gone.
    async fn cast(&self, community: CommunityId, users: Vec<UserId>) -> Result<Option<Cast>> {
        let name = match self.0.directory.name(community).await {
            Ok(name) => name,
            Err(error) if error.reason() == Reason::CommunityNotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let users = self.0.directory.users(community, users).await?;
        Ok(Some(Cast { name, users }))
    }
}

/// A community, and users of it.
struct Cast {
    name: Arc<str>,
    users: HashMap<UserId, Arc<Person>>,
}

impl Told<'_> {
    fn written(&self, cast: &Cast) -> Result<Vec<NewDelivery>> {
        let Self { event, story, to } = self;
        let user = story.user.and_then(|id| cast.users.get(&id));
        let mut deliveries = Vec::with_capacity(to.len());
        for (webhook, kind) in to {
            let user = user.map(|user| &**user);
            deliveries.push(NewDelivery {
                community: story.community,
                webhook: *webhook,
                kind: *kind,
                event_id: payload::event_id(event, *kind),
                event_time: story.time,
                body: payload::body(event, story, *kind, &cast.name, user)?,
            });
        }
        Ok(deliveries)
    }
}
