//! What payloads say of users and communities, looked up at identity and remembered for a short
//! time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use guildhall_auth::source::as_told_to_callers;
use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest, User,
    user_directory_service_client::UserDirectoryServiceClient,
};
use guildhall_runtime::{Error, Peer, Result};
use guildhall_signals::{Cache, SessionChanged, Signals};

use crate::domain::payload::Person;

/// How long a user or a community's name is remembered without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);
/// How long identity may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// References in one question.
const BATCH: usize = 500;

/// The users and communities of the platform.
#[derive(Debug)]
pub struct Directory {
    identity: UserDirectoryServiceClient<Peer>,
    /// Who is gone is remembered, too.
    users: Cache<(CommunityId, UserId), Option<Arc<Person>>>,
    names: Cache<CommunityId, Arc<str>>,
}

impl Directory {
    /// The directory that `identity` keeps, forgotten as `signals` tell. The peer must be vouched
    /// for.
    #[must_use]
    pub fn new(identity: Peer, signals: &Signals) -> Self {
        Self {
            identity: UserDirectoryServiceClient::new(identity),
            users: Cache::builder("webhook_users", signals, LIFE_ALONE)
                .invalidated_by(|changed: &SessionChanged| (changed.community, changed.user))
                .build(),
            names: Cache::builder("webhook_communities", signals, LIFE_ALONE).build(),
        }
    }

    /// The name of a community.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn name(&self, community: CommunityId) -> Result<Arc<str>> {
        let look_up = async { Ok(self.community(community).await?.name.into()) };
        self.names.get_or_load(community, look_up).await
    }

    /// The user who owns a community; not remembered.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn owner(&self, community: CommunityId) -> Result<Person> {
        let owner = self.community(community).await?.owner;
        person(owner.ok_or_else(|| Error::bug("a community without owner"))?)
    }

    async fn community(&self, community: CommunityId) -> Result<GetCommunityResponse> {
        let mut request = tonic::Request::new(GetCommunityRequest {
            community: community.to_string(),
        });
        request.set_timeout(DEADLINE);
        let answer = self.identity.clone().get_community(request).await;
        let answer = answer.map_err(|status| as_told_to_callers(status.into()))?;
        Ok(answer.into_inner())
    }

    /// Those of the users who are there, suspended or not, asked for at once.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say.
    pub async fn users(
        &self,
        community: CommunityId,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Person>>> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut users = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match self.users.get(&(community, id)) {
                Some(user) => users.extend(user.map(|user| (id, user))),
                None => unknown.push(id),
            }
        }
        for ids in unknown.chunks(BATCH) {
            users.extend(self.ask(community, ids).await?);
        }
        Ok(users)
    }

    /// Asks identity, and remembers what it says.
    async fn ask(
        &self,
        community: CommunityId,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<Person>>> {
        let beginning = self.users.begin();
        let mut request = tonic::Request::new(ResolveUsersRequest {
            community_id: community.to_string(),
            references: ids.iter().map(ToString::to_string).collect(),
        });
        request.set_timeout(DEADLINE);
        let answer = self.identity.clone().resolve_users(request).await;
        let answer = answer.map_err(|status| as_told_to_callers(status.into()))?;
        let mut found = HashMap::with_capacity(ids.len());
        for user in answer
            .into_inner()
            .users
            .into_iter()
            .filter_map(|found| found.user)
        {
            let user = person(user)?;
            // A username may look like an id.
            if ids.contains(&user.id) {
                found.insert(user.id, Arc::new(user));
            }
        }
        for id in ids {
            let user = found.get(id).cloned();
            self.users.store(beginning, (community, *id), user);
        }
        Ok(found)
    }
}

fn person(user: User) -> Result<Person> {
    Ok(Person {
        id: user.id.parse()?,
        number: user.number,
        role: user.role(),
        username: user.username,
        email: user.email,
    })
}
