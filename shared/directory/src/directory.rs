//! Users and communities, asked of identity and cached until it says that they changed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use guildhall_auth::source::as_told_to_callers;
use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest,
    user_directory_service_client::UserDirectoryServiceClient,
};
use guildhall_runtime::{Error, Peer, Reason, Result};
use guildhall_signals::{Cache, SessionChanged, Signals};
use guildhall_types::{CommunityId, UserId, text::without_nul};
use tonic::Request;

use crate::User;

/// How long an answer is cached without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);
/// How long identity may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The most references in one request.
const BATCH: usize = 500;
/// The longest reference in characters, as identity reads it.
const MAX_REFERENCE: usize = 320;

/// The users and communities of the platform. Cheap to clone; all clones share their caches.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: UserDirectoryServiceClient<Peer>,
    /// Who is not there is cached, too.
    users: Cache<(CommunityId, UserId), Option<Arc<User>>>,
    references: Cache<(CommunityId, String), UserId>,
    names: Cache<CommunityId, Arc<str>>,
    bots: Cache<CommunityId, Arc<User>>,
}

impl Directory {
    /// The directory that `identity` keeps, a peer whose calls carry a token: its RPCs are internal.
    #[must_use]
    pub fn new(identity: Peer, signals: &Signals) -> Self {
        Self(Arc::new(Inner {
            identity: UserDirectoryServiceClient::new(identity),
            users: Cache::builder("members", signals, LIFE_ALONE)
                .invalidated_by(|changed: &SessionChanged| (changed.community, changed.user))
                .build(),
            references: Cache::builder("member_references", signals, LIFE_ALONE).build(),
            names: Cache::builder("community_names", signals, LIFE_ALONE).build(),
            bots: Cache::builder("community_bots", signals, LIFE_ALONE).build(),
        }))
    }

    /// The user with this id, active or not.
    ///
    /// # Errors
    /// USER_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn get(&self, community: CommunityId, id: UserId) -> Result<Arc<User>> {
        let look_up = async {
            let found = self.ask(community, &[id.to_string()]).await?;
            Ok(by_id(found, id))
        };
        let user = self.0.users.get_or_load((community, id), look_up).await?;
        user.ok_or_else(not_found)
    }

    /// Those of the users who exist, active or not, asked for at once.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say.
    pub async fn get_all(
        &self,
        community: CommunityId,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<User>>> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut users = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match self.0.users.get(&(community, id)) {
                Some(user) => users.extend(user.map(|user| (id, user))),
                None => unknown.push(id),
            }
        }
        for ids in unknown.chunks(BATCH) {
            users.extend(self.load(community, ids).await?);
        }
        Ok(users)
    }

    /// The active user whom the reference in `field` means: an id, a number, an e-mail address or a
    /// username.
    ///
    /// # Errors
    /// USER_NOT_FOUND, INVALID_VALUE for a NUL, UNREACHABLE when identity cannot say.
    pub async fn resolve(
        &self,
        community: CommunityId,
        field: &'static str,
        reference: &str,
    ) -> Result<Arc<User>> {
        if is_too_long(reference) {
            return Err(not_found());
        }
        without_nul(field, reference)?;
        let look_up = async {
            let found = self.ask(community, &[reference.to_owned()]).await?;
            let first = found.first().map(|(_, user)| user.id);
            first.ok_or_else(not_found)
        };
        let key = (community, reference.to_owned());
        let id = self.0.references.get_or_load(key, look_up).await?;
        let user = self.get(community, id).await?;
        // Who may not act cannot be named.
        user.active.then_some(user).ok_or_else(not_found)
    }

    /// The active users whom the references in `field` mean, in their order; never the bot.
    ///
    /// # Errors
    /// USER_NOT_FOUND when one of them means nobody, INVALID_VALUE for a NUL, UNREACHABLE when
    /// identity cannot say.
    pub async fn resolve_all(
        &self,
        community: CommunityId,
        field: &'static str,
        references: &[String],
    ) -> Result<Vec<Arc<User>>> {
        let fields = (0..).map(|index| format!("{field}[{index}]"));
        for (field, reference) in fields.clone().zip(references) {
            if is_too_long(reference) {
                return Err(none_in(field));
            }
            without_nul(&field, reference)?;
        }
        let found: HashMap<_, _> = self.ask(community, references).await?.into_iter().collect();
        let users = references.iter().zip(fields).map(|(reference, field)| {
            let user = found.get(reference).cloned();
            user.filter(|user| user.active && !user.bot)
                .ok_or_else(|| none_in(field))
        });
        users.collect()
    }

    /// The active users whom the references mean, in their order; never the bot. Who is not there is
    /// left out.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say.
    pub async fn find_all(
        &self,
        community: CommunityId,
        references: &[String],
    ) -> Result<Vec<Arc<User>>> {
        let possible = |text: &&String| text.len() <= MAX_REFERENCE && !text.contains('\0');
        let references: Vec<_> = references.iter().filter(possible).cloned().collect();
        let found: HashMap<_, _> = self
            .ask(community, &references)
            .await?
            .into_iter()
            .collect();
        let users = references.iter().filter_map(|text| found.get(text));
        let users = users.filter(|user| user.active && !user.bot);
        Ok(users.cloned().collect())
    }

    /// The name of a community.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn community_name(&self, community: CommunityId) -> Result<Arc<str>> {
        let look_up = async { Ok(self.community(community).await?.name.into()) };
        self.0.names.get_or_load(community, look_up).await
    }

    /// The bot of a community, the author of what nobody else is named for.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn bot(&self, community: CommunityId) -> Result<Arc<User>> {
        let look_up = async {
            let bot = self.community(community).await?.bot;
            // Before an upgrade is complete, a replica of identity may not know of bots.
            let bot = bot.ok_or_else(|| Error::missing("sender"))?;
            Ok(Arc::new(User::try_from(bot)?))
        };
        self.0.bots.get_or_load(community, look_up).await
    }

    /// The user who owns a community; not cached.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn owner(&self, community: CommunityId) -> Result<User> {
        let owner = self.community(community).await?.owner;
        owner
            .ok_or_else(|| Error::bug("a community without owner"))?
            .try_into()
    }

    async fn community(&self, community: CommunityId) -> Result<GetCommunityResponse> {
        let request = in_time(GetCommunityRequest {
            community: community.to_string(),
        });
        let answer = self.0.identity.clone().get_community(request).await;
        let answer = answer.map_err(|status| as_told_to_callers(status.into()))?;
        Ok(answer.into_inner())
    }

    /// Asks for users by their ids, and caches also who is not there.
    async fn load(
        &self,
        community: CommunityId,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<User>>> {
        let batch = self.0.users.begin();
        let references: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let found = self.ask(community, &references).await?.into_iter();
        // A username may look like an id.
        let found: HashMap<_, _> = found
            .filter(|(_, user)| ids.contains(&user.id))
            .map(|(_, user)| (user.id, user))
            .collect();
        for id in ids.iter().filter(|id| !found.contains_key(id)) {
            self.0.users.store(batch, (community, *id), None);
        }
        Ok(found)
    }

    /// Asks identity, and caches the users whom it names; each with the reference that means them.
    async fn ask(
        &self,
        community: CommunityId,
        references: &[String],
    ) -> Result<Vec<(String, Arc<User>)>> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        let batch = self.0.users.begin();
        let request = in_time(ResolveUsersRequest {
            community_id: community.to_string(),
            references: references.to_vec(),
        });
        let answer = self.0.identity.clone().resolve_users(request).await;
        let answer = answer.map_err(|status| as_told_to_callers(status.into()))?;
        let mut found = Vec::with_capacity(references.len());
        for resolved in answer.into_inner().users {
            let Some(user) = resolved.user else { continue };
            let user = Arc::new(User::try_from(user)?);
            let (key, known) = ((community, user.id), Some(Arc::clone(&user)));
            self.0.users.store(batch, key, known);
            found.push((resolved.reference, user));
        }
        Ok(found)
    }
}

/// A username may look like an id.
fn by_id(found: Vec<(String, Arc<User>)>, id: UserId) -> Option<Arc<User>> {
    let mut users = found.into_iter().map(|(_, user)| user);
    users.find(|user| user.id == id)
}

fn in_time<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn is_too_long(reference: &str) -> bool {
    reference.chars().nth(MAX_REFERENCE).is_some()
}

/// The reference in this field of a list means nobody.
fn none_in(field: String) -> Error {
    let description = format!("{field} is not a user of the community");
    Error::violation(Reason::UserNotFound, field, description)
}

fn not_found() -> Error {
    Error::new(Reason::UserNotFound, "User not found")
}
