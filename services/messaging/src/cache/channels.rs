//! A cache of channels and topics.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use guildhall_data::{ChannelId, CommunityId, Database, Resource as _, TopicId, id};
use guildhall_runtime::{Error, Result};
use guildhall_signals::{Cache, ChannelChanged, Signals};

use crate::{
    domain::{Channel, access::channel_not_found, channel::MAX_URL},
    store::{channels, topics},
};

/// How long an entry lives without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);

/// Channels and topics of all communities, loaded on demand.
#[derive(Debug)]
pub struct ChannelCache {
    database: Database,
    channels: Cache<(CommunityId, ChannelId), Arc<Channel>>,
    urls: Cache<(CommunityId, String), ChannelId>,
    topics: Cache<(CommunityId, TopicId), Arc<topics::Model>>,
}

impl ChannelCache {
    /// A cache in front of `database`, invalidated by `signals`.
    #[must_use]
    pub fn new(database: Database, signals: &Signals) -> Self {
        Self {
            database,
            channels: Cache::builder("channels", signals, LIFE_ALONE)
                .invalidated_by(|changed: &ChannelChanged| (changed.community, changed.channel))
                .build(),
            // A url is compared with that of its channel whenever it is used.
            urls: Cache::builder("channel_urls", signals, LIFE_ALONE).build(),
            // A change of a topic is signalled as a change of its channel, and is rare.
            topics: Cache::builder("topics", signals, LIFE_ALONE)
                .emptied_by::<ChannelChanged>()
                .build(),
        }
    }

    /// The channel that a reference means: 24 hexadecimal digits are an id, anything else is a url.
    ///
    /// # Errors
    /// MISSING_FIELD, CHANNEL_NOT_FOUND.
    pub async fn resolve(&self, community: CommunityId, reference: &str) -> Result<Arc<Channel>> {
        if reference.is_empty() {
            return Err(Error::missing("channel"));
        }
        match reference.parse::<ChannelId>() {
            Ok(id) => self.get(community, id).await,
            Err(_) if !may_be_url(reference) => Err(channel_not_found()),
            Err(_) => self.by_url(community, reference).await,
        }
    }

    /// The channel with this id.
    ///
    /// # Errors
    /// CHANNEL_NOT_FOUND.
    pub async fn get(&self, community: CommunityId, id: ChannelId) -> Result<Arc<Channel>> {
        let load = async {
            let record = channels::find(self.database.reader(), community, id).await?;
            record
                .map(|record| Arc::new(record.into()))
                .ok_or_else(channel_not_found)
        };
        self.channels.get_or_load((community, id), load).await
    }

    /// The names of channels, with at most one query.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn names(
        &self,
        community: CommunityId,
        ids: impl IntoIterator<Item = ChannelId>,
    ) -> Result<HashMap<ChannelId, String>> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut names = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.channels.get(&(community, id)) {
                Some(channel) => {
                    names.insert(id, channel.topic.clone());
                }
                None => missing.push(id),
            }
        }
        if !missing.is_empty() {
            let found = channels::names(self.database.reader(), community, missing).await?;
            names.extend(found);
        }
        Ok(names)
    }

    async fn by_url(&self, community: CommunityId, url: &str) -> Result<Arc<Channel>> {
        let key = (community, url.to_owned());
        let load = async {
            let id = channels::find_id_by_url(self.database.reader(), community, url).await?;
            id.ok_or_else(channel_not_found)
        };
        let id = self.urls.get_or_load(key.clone(), load).await?;
        let channel = self.get(community, id).await?;
        if channel.url.as_deref() == Some(url) {
            return Ok(channel);
        }
        // The channel has another url by now.
        self.urls.invalidate(&key);
        Err(channel_not_found())
    }

    /// The topic of a channel that a request names.
    ///
    /// # Errors
    /// MISSING_FIELD, MALFORMED_ID, TOPIC_NOT_FOUND also for a topic of another channel.
    pub async fn topic_of(&self, channel: &Channel, id: &str) -> Result<Arc<topics::Model>> {
        if id.is_empty() {
            return Err(Error::missing("topic_id"));
        }
        let topic = self
            .topic(channel.community, id::parse("topic_id", id)?)
            .await?;
        if topic.channel_id != channel.id {
            return Err(topics::Entity::not_found());
        }
        Ok(topic)
    }

    /// The topic with this id.
    ///
    /// # Errors
    /// TOPIC_NOT_FOUND.
    pub async fn topic(&self, community: CommunityId, id: TopicId) -> Result<Arc<topics::Model>> {
        let load = async {
            let topic = topics::Entity::get(self.database.reader(), community, id).await;
            topic.map(Arc::new)
        };
        self.topics.get_or_load((community, id), load).await
    }
}

/// Whether a channel can have this url.
fn may_be_url(reference: &str) -> bool {
    reference.chars().nth(MAX_URL).is_none() && !reference.contains(char::is_control)
}
