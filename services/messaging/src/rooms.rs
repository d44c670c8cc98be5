//! Channels and topics, remembered for a short time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use guildhall_data::{ChannelId, CommunityId, Database, TopicId};
use guildhall_runtime::{Error, Result};
use guildhall_signals::{Cache, ChannelChanged, Signals};

use crate::{
    domain::{
        Channel,
        access::{channel_not_found, topic_not_found},
    },
    store::{channels, topics},
};

/// How long a channel or topic is remembered without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);
/// The longest url of a channel, in characters.
pub const MAX_URL: usize = 100;

/// The channels and topics of all communities.
#[derive(Debug)]
pub struct Rooms {
    database: Database,
    channels: Cache<(CommunityId, ChannelId), Arc<Channel>>,
    urls: Cache<(CommunityId, String), ChannelId>,
    topics: Cache<(CommunityId, TopicId), Arc<topics::Model>>,
}

impl Rooms {
    /// The rooms kept in `database`, cached until `signals` say that they changed.
    #[must_use]
    pub fn new(database: Database, signals: &Signals) -> Self {
        Self {
            database,
            channels: Cache::builder("channels", signals, LIFE_ALONE)
                .invalidated_by(|changed: &ChannelChanged| (changed.community, changed.channel))
                .build(),
            // An url is checked against its channel whenever it is used.
            urls: Cache::builder("channel_urls", signals, LIFE_ALONE).build(),
            // A change of a channel's topics counts as a change of the channel, and is rare.
            topics: Cache::builder("topics", signals, LIFE_ALONE)
                .emptied_by::<ChannelChanged>()
                .build(),
        }
    }

    /// The channel that a reference means: 24 hex is an id, anything else a url.
    ///
    /// # Errors
    /// MISSING_FIELD, CHANNEL_NOT_FOUND.
    pub async fn named(&self, community: CommunityId, reference: &str) -> Result<Arc<Channel>> {
        if reference.is_empty() {
            return Err(Error::missing("channel"));
        }
        match reference.parse::<ChannelId>() {
            Ok(id) => self.channel(community, id).await,
            Err(_) if !may_be_url(reference) => Err(channel_not_found()),
            Err(_) => self.at_url(community, reference).await,
        }
    }

    /// The channel with this id.
    ///
    /// # Errors
    /// CHANNEL_NOT_FOUND.
    pub async fn channel(&self, community: CommunityId, id: ChannelId) -> Result<Arc<Channel>> {
        let look_up = async {
            let record = channels::get(self.database.reader(), community, id).await?;
            record
                .map(|record| Arc::new(record.into()))
                .ok_or_else(channel_not_found)
        };
        self.channels.get_or_load((community, id), look_up).await
    }

    /// The names of channels, asked for at once.
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
        let mut unknown = Vec::new();
        for id in ids {
            match self.channels.get(&(community, id)) {
                Some(channel) => {
                    names.insert(id, channel.topic.clone());
                }
                None => unknown.push(id),
            }
        }
        if !unknown.is_empty() {
            let found = channels::names(self.database.reader(), community, unknown).await?;
            names.extend(found);
        }
        Ok(names)
    }

    async fn at_url(&self, community: CommunityId, url: &str) -> Result<Arc<Channel>> {
        let key = (community, url.to_owned());
        let look_up = async {
            let id = channels::id_of_url(self.database.reader(), community, url).await?;
            id.ok_or_else(channel_not_found)
        };
        let id = self.urls.get_or_load(key.clone(), look_up).await?;
        let channel = self.channel(community, id).await?;
        if channel.url.as_deref() == Some(url) {
            return Ok(channel);
        }
        // It has moved away from the url since.
        self.urls.invalidate(&key);
        Err(channel_not_found())
    }

    /// The topic of a channel that a request names.
    ///
    /// # Errors
    /// MISSING_FIELD, MALFORMED_ID, TOPIC_NOT_FOUND also for a topic of another channel.
    pub async fn topic(&self, channel: &Channel, id: &str) -> Result<Arc<topics::Model>> {
        if id.is_empty() {
            return Err(Error::missing("topic_id"));
        }
        let topic = self.topic_by_id(channel.community, id.parse()?).await?;
        if topic.channel_id != channel.id {
            return Err(topic_not_found());
        }
        Ok(topic)
    }

    /// The topic with this id.
    ///
    /// # Errors
    /// TOPIC_NOT_FOUND.
    pub async fn topic_by_id(
        &self,
        community: CommunityId,
        id: TopicId,
    ) -> Result<Arc<topics::Model>> {
        let look_up = async {
            let topic = topics::get(self.database.reader(), community, id).await?;
            topic.map(Arc::new).ok_or_else(topic_not_found)
        };
        self.topics.get_or_load((community, id), look_up).await
    }
}

/// Whether a channel can have this url at all.
fn may_be_url(reference: &str) -> bool {
    reference.chars().nth(MAX_URL).is_none() && !reference.contains(char::is_control)
}
