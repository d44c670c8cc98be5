//! From domain events to deliveries: what is looked up before they are queued.
//!
//! Who is told is not cached: a list that is older than an event may lack a webhook that was made
//! before it, on another replica.

use std::{collections::HashMap, sync::Arc};

use guildhall_data::{CommunityId, UserId, WebhookId};
use guildhall_directory::User;
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Reason, Result};

use crate::{
    Webhooks,
    domain::{
        EventKind,
        payload::{self, Story},
        subscription::{Subscription, told},
    },
    store::{deliveries::NewDelivery, outgoing},
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
        let stories: Vec<_> = events.iter().map(|event| Story::of(event)).collect();
        let communities = stories.iter().flatten().flatten().map(|it| it.community);
        let reader = self.0.database.reader();
        let subscriptions = outgoing::subscriptions(reader, communities.collect()).await?;
        let told = events.iter().zip(stories).map(|(event, story)| {
            Ok(story?.and_then(|story| Told::of(event, story, &subscriptions)))
        });
        let told: Vec<Result<Option<Told<'_>>>> = told.collect();
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

    /// What payloads say of a community and some of its users; none when it is gone.
    async fn cast(&self, community: CommunityId, users: Vec<UserId>) -> Result<Option<Cast>> {
        let name = match self.0.directory.community_name(community).await {
            Ok(name) => name,
            Err(error) if error.reason() == Reason::CommunityNotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let users = self.0.directory.get_all(community, users).await?;
        Ok(Some(Cast { name, users }))
    }
}

/// A community, and users of it.
struct Cast {
    name: Arc<str>,
    users: HashMap<UserId, Arc<User>>,
}

impl<'a> Told<'a> {
    /// Who is told of an event; none when nobody is.
    fn of(
        event: &'a Event,
        story: Story,
        all: &HashMap<CommunityId, Vec<Subscription>>,
    ) -> Option<Self> {
        let to: Vec<_> = told(&story, all.get(&story.community)?).collect();
        (!to.is_empty()).then_some(Self { event, story, to })
    }

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
