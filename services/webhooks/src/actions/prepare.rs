//! From domain events to deliveries: what is looked up before they are queued.
//!
//! Subscriptions are not cached: a list that is older than an event may lack a webhook that was made
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
        payload::{self, Subject},
        subscription::{Subscription, matching},
    },
    store::{deliveries::NewDelivery, outgoing},
};

/// An event with the webhooks that subscribe to it.
struct Matched<'a> {
    event: &'a Event,
    subject: Subject,
    to: Vec<(WebhookId, EventKind)>,
}

impl Webhooks {
    /// The deliveries of each event, to be [queued](crate::store::deliveries::queue) in the
    /// transaction that notes that it was heard of; none where no webhook wants it. After it committed,
    /// [`wake`](Self::wake) their webhooks.
    ///
    /// # Errors
    /// For all, UNREACHABLE when identity or the database cannot say; for each, when it cannot be
    /// read.
    pub async fn prepare(
        &self,
        events: &[&Event],
    ) -> Result<Vec<Result<Option<Vec<NewDelivery>>>>> {
        let subjects: Vec<_> = events.iter().map(|event| Subject::of(event)).collect();
        let communities = subjects.iter().flatten().flatten().map(|it| it.community);
        let reader = self.0.database.reader();
        let subscriptions = outgoing::subscriptions(reader, communities.collect()).await?;
        let matched = events.iter().zip(subjects).map(|(event, subject)| {
            Ok(subject?.and_then(|subject| Matched::of(event, subject, &subscriptions)))
        });
        let matched: Vec<Result<Option<Matched<'_>>>> = matched.collect();
        let mut users: HashMap<_, Vec<_>> = HashMap::new();
        for matched in matched.iter().flatten().flatten() {
            let of_community = users.entry(matched.subject.community).or_default();
            of_community.extend(matched.subject.user);
        }
        let mut context = HashMap::with_capacity(users.len());
        for (community, users) in users {
            context.insert(community, self.context(community, users).await?);
        }
        let deliveries = matched.into_iter().map(|matched| match matched {
            Ok(Some(matched)) => match context.get(&matched.subject.community) {
                Some(Some(context)) => matched.deliveries(context).map(Some),
                // The community is gone, and no webhook is left.
                Some(None) | None => Ok(None),
            },
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        });
        Ok(deliveries.collect())
    }

    /// What payloads say of a community and some of its users; none when it is gone.
    async fn context(&self, community: CommunityId, users: Vec<UserId>) -> Result<Option<Context>> {
        let name = match self.0.directory.community_name(community).await {
            Ok(name) => name,
            Err(error) if error.reason() == Reason::CommunityNotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let users = self.0.directory.get_all(community, users).await?;
        Ok(Some(Context { name, users }))
    }
}

/// A community, and users of it.
struct Context {
    name: Arc<str>,
    users: HashMap<UserId, Arc<User>>,
}

impl<'a> Matched<'a> {
    /// The webhooks that subscribe to an event; none when there are none.
    fn of(
        event: &'a Event,
        subject: Subject,
        all: &HashMap<CommunityId, Vec<Subscription>>,
    ) -> Option<Self> {
        let to: Vec<_> = matching(&subject, all.get(&subject.community)?).collect();
        (!to.is_empty()).then_some(Self { event, subject, to })
    }

    fn deliveries(&self, context: &Context) -> Result<Vec<NewDelivery>> {
        let Self { event, subject, to } = self;
        let user = subject.user.and_then(|id| context.users.get(&id));
        let mut deliveries = Vec::with_capacity(to.len());
        for (webhook, kind) in to {
            let user = user.map(|user| &**user);
            deliveries.push(NewDelivery {
                community: subject.community,
                webhook: *webhook,
                kind: *kind,
                event_id: payload::event_id(event, *kind),
                event_time: subject.time,
                body: payload::body(event, subject, *kind, &context.name, user)?,
            });
        }
        Ok(deliveries)
    }
}
