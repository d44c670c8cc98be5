//! A cache of members, looked up at identity.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use guildhall_auth::source::as_told_to_callers;
use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{
    ResolveUsersRequest, user_directory_service_client::UserDirectoryServiceClient,
};
use guildhall_runtime::{Error, Peer, Reason, Result};
use guildhall_signals::{Cache, SessionChanged, Signals};

use crate::domain::Member;

/// How long an entry lives without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);
/// How long identity may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// References in one request.
const BATCH: usize = 500;
/// The longest reference: an e-mail address has at most 320 characters.
const MAX_REFERENCE: usize = 320;

/// Members of all communities, looked up on demand.
#[derive(Debug)]
pub struct MemberCache {
    identity: UserDirectoryServiceClient<Peer>,
    members: Cache<(CommunityId, UserId), Arc<Member>>,
    references: Cache<(CommunityId, String), UserId>,
}

impl MemberCache {
    /// A cache in front of `identity`, invalidated by `signals`. The peer must send the internal
    /// token of this process.
    #[must_use]
    pub fn new(identity: Peer, signals: &Signals) -> Self {
        Self {
            identity: UserDirectoryServiceClient::new(identity),
            members: Cache::builder("members", signals, LIFE_ALONE)
                .invalidated_by(|changed: &SessionChanged| (changed.community, changed.user))
                .build(),
            references: Cache::builder("member_references", signals, LIFE_ALONE).build(),
        }
    }

    /// The active member that a reference means (id, number, e-mail or username).
    ///
    /// # Errors
    /// USER_NOT_FOUND, UNREACHABLE when identity does not answer.
    pub async fn resolve(&self, community: CommunityId, reference: &str) -> Result<Arc<Member>> {
        if reference.len() > MAX_REFERENCE {
            return Err(not_found());
        }
        if reference.contains('\0') {
            return Err(Error::invalid("sender", "sender must not contain NUL"));
        }
        let load = async {
            let members = self.look_up(community, &[reference.to_owned()]).await?;
            members
                .first()
                .map(|(_, member)| member.id)
                .ok_or_else(not_found)
        };
        let key = (community, reference.to_owned());
        let id = self.references.get_or_load(key, load).await?;
        self.get(community, id).await.and_then(active)
    }

    /// The active members that references mean, in their order.
    ///
    /// # Errors
    /// USER_NOT_FOUND when one of them means nobody, UNREACHABLE when identity does not answer.
    pub async fn resolve_all(
        &self,
        community: CommunityId,
        references: &[String],
    ) -> Result<Vec<Arc<Member>>> {
        if references
            .iter()
            .any(|reference| reference.len() > MAX_REFERENCE)
        {
            return Err(not_found());
        }
        let found: HashMap<_, _> = self
            .look_up(community, references)
            .await?
            .into_iter()
            .collect();
        let members = references
            .iter()
            .map(|reference| found.get(reference).filter(|member| member.active).cloned());
        members.collect::<Option<_>>().ok_or_else(not_found)
    }

    /// The member with this id.
    ///
    /// # Errors
    /// USER_NOT_FOUND, UNREACHABLE when identity does not answer.
    pub async fn get(&self, community: CommunityId, id: UserId) -> Result<Arc<Member>> {
        let load = async {
            let found = self.look_up(community, &[id.to_string()]).await?;
            // Another member may have this id as their username.
            let mut members = found.into_iter().map(|(_, member)| member);
            members.find(|member| member.id == id).ok_or_else(not_found)
        };
        self.members.get_or_load((community, id), load).await
    }

    /// Those of the users who are members, with one request per 500 that are not cached.
    ///
    /// # Errors
    /// UNREACHABLE when identity does not answer.
    pub async fn get_all(
        &self,
        community: CommunityId,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Member>>> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut members = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.members.get(&(community, id)) {
                Some(member) => {
                    members.insert(id, member);
                }
                None => missing.push(id.to_string()),
            }
        }
        for references in missing.chunks(BATCH) {
            let found = self.look_up(community, references).await?;
            members.extend(found.into_iter().map(|(_, member)| (member.id, member)));
        }
        Ok(members)
    }

    /// Looks references up at identity, and caches the members found.
    async fn look_up(
        &self,
        community: CommunityId,
        references: &[String],
    ) -> Result<Vec<(String, Arc<Member>)>> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        let beginning = self.members.begin();
        let mut request = tonic::Request::new(ResolveUsersRequest {
            community_id: community.to_string(),
            references: references.to_vec(),
        });
        request.set_timeout(DEADLINE);
        let answer = self
            .identity
            .clone()
            .resolve_users(request)
            .await
            .map_err(|status| as_told_to_callers(status.into()))?;
        let mut found = Vec::with_capacity(references.len());
        for resolved in answer.into_inner().users {
            let Some(user) = resolved.user else { continue };
            let member = Arc::new(Member::from_user(user)?);
            let key = (community, member.id);
            self.members.store(beginning, key, Arc::clone(&member));
            found.push((resolved.reference, member));
        }
        Ok(found)
    }
}

/// A member who may not act is treated as missing.
fn active(member: Arc<Member>) -> Result<Arc<Member>> {
    if member.active {
        Ok(member)
    } else {
        Err(not_found())
    }
}

fn not_found() -> Error {
    Error::new(Reason::UserNotFound, "User not found")
}
