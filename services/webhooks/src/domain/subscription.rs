//! Which webhooks subscribe to which events.

use std::{collections::HashSet, time::Duration};

use guildhall_data::{ChannelId, WebhookId};
use guildhall_runtime::Timestamp;

use super::{EventKind, EventKinds, payload::Subject};

/// How far the clocks of two hosts may be apart: an event that seems to be so much older than its
/// webhook is delivered all the same.
pub const CLOCKS: Duration = Duration::from_secs(300);

/// What a webhook subscribes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The webhook.
    pub webhook: WebhookId,
    /// What it tells of.
    pub kinds: EventKinds,
    /// The channels of `channel_message_posted`.
    pub channels: HashSet<ChannelId>,
    /// Incoming webhooks whose messages it does not tell of.
    pub ignored: HashSet<WebhookId>,
    /// It tells of nothing that happened before.
    pub active_since: Timestamp,
    /// Whether bulk imports tell of each member.
    pub joins_on_bulk_import: bool,
}

impl Subscription {
    /// Whether it subscribes to `subject` as `kind`.
    fn wants(&self, subject: &Subject, kind: EventKind) -> bool {
        let is_ignored = |webhook| self.ignored.contains(&webhook);
        let is_chosen = |channel| self.channels.contains(&channel);
        self.kinds.contains(kind)
            && subject.time >= self.active_since
            // Direct messages are private.
            && !subject.is_direct
            && !subject.came_by.is_some_and(is_ignored)
            && (self.joins_on_bulk_import || !subject.by_bulk_import)
            && (kind != EventKind::ChannelMessagePosted || subject.channel.is_some_and(is_chosen))
    }
}

/// The webhooks that subscribe to an event, and the kind as which each gets it.
pub fn matching<'a>(
    subject: &'a Subject,
    subscriptions: &'a [Subscription],
) -> impl Iterator<Item = (WebhookId, EventKind)> + 'a {
    subscriptions.iter().flat_map(|subscription| {
        let kinds = subject.kinds.iter().copied();
        kinds
            .filter(|kind| subscription.wants(subject, *kind))
            .map(|kind| (subscription.webhook, kind))
    })
}

#[cfg(test)]
mod tests {
    use guildhall_data::CommunityId;

    use super::*;

    const KINDS: [i32; 3] = [1, 3, 4];

    fn subscription() -> Subscription {
        Subscription {
            webhook: WebhookId::generate(),
            kinds: EventKinds::parse(&KINDS).unwrap(),
            channels: HashSet::new(),
            ignored: HashSet::new(),
            active_since: Timestamp::from_millis(1_000),
            joins_on_bulk_import: false,
        }
    }

    fn posted() -> Subject {
        Subject {
            community: CommunityId::generate(),
            time: Timestamp::from_millis(1_000),
            kinds: &[EventKind::MessagePosted, EventKind::ChannelMessagePosted],
            user: None,
            channel: Some(ChannelId::generate()),
            is_direct: false,
            came_by: Some(WebhookId::generate()),
            by_bulk_import: false,
        }
    }

    fn kinds(subject: Subject, subscription: Subscription) -> Vec<EventKind> {
        matching(&subject, &[subscription])
            .map(|(_, kind)| kind)
            .collect()
    }

    #[test]
    fn a_message_is_told_as_posted_anywhere_and_as_posted_to_a_channel_chosen() {
        let subject = posted();
        assert_eq!(kinds(subject, subscription()), [EventKind::MessagePosted]);
        let channels = subject.channel.into_iter().collect();
        let chosen = Subscription {
            channels,
            ..subscription()
        };
        assert_eq!(kinds(subject, chosen.clone()), subject.kinds);
        let direct = Subject {
            is_direct: true,
            ..subject
        };
        assert!(kinds(direct, chosen).is_empty());
    }

    #[test]
    fn a_message_does_not_go_back_to_where_it_came_from() {
        let subject = posted();
        let ignored = subject.came_by.into_iter().collect();
        let subscription = Subscription {
            ignored,
            ..subscription()
        };
        assert!(kinds(subject, subscription).is_empty());
    }

    #[test]
    fn nothing_is_told_that_happened_before() {
        let earlier = Subject {
            time: Timestamp::from_millis(999),
            ..posted()
        };
        assert!(kinds(earlier, subscription()).is_empty());
    }

    #[test]
    fn a_bulk_import_is_told_to_those_who_ask_for_it() {
        let joined = Subject {
            kinds: &[EventKind::UserJoinedCommunity],
            by_bulk_import: true,
            ..posted()
        };
        assert!(kinds(joined, subscription()).is_empty());
        let asking = Subscription {
            joins_on_bulk_import: true,
            ..subscription()
        };
        assert_eq!(kinds(joined, asking), [EventKind::UserJoinedCommunity]);
    }
}
