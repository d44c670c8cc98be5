//! Members, looked up at identity and remembered for a short time.

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

/// How long a member is remembered without a bus.
const LIFE_ALONE: Duration = Duration::from_secs(30);
/// How long identity may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// References in one question.
const BATCH: usize = 500;
/// The longest reference: an e-mail address has at most 320 characters.
const MAX_REFERENCE: usize = 320;

/// The members of all communities.
#[derive(Debug)]
pub struct Directory {
    identity: UserDirectoryServiceClient<Peer>,
    members: Cache<(CommunityId, UserId), Arc<Member>>,
    references: Cache<(CommunityId, String), UserId>,
}

impl Directory {
    /// The directory that `identity` keeps, forgotten as `signals` tell. The peer must be vouched
    /// for.
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

    /// The member whom a reference means (id, number, e-mail or username).
    ///
    /// # Errors
    /// USER_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn resolve(&self, community: CommunityId, reference: &str) -> Result<Arc<Member>> {
        if reference.len() > MAX_REFERENCE {
            return Err(not_found());
        }
        if reference.contains('\0') {
            return Err(Error::invalid("sender", "sender must not contain NUL"));
        }
        let look_up = async {
            let members = self.ask(community, &[reference.to_owned()]).await?;
            members
                .first()
                .map(|(_, member)| member.id)
                .ok_or_else(not_found)
        };
        let key = (community, reference.to_owned());
        let id = self.references.get_or_load(key, look_up).await?;
        self.member(community, id).await.and_then(may_act)
    }

    /// The members whom references mean, in their order.
    ///
    /// # Errors
    /// USER_NOT_FOUND when one of them means nobody, UNREACHABLE when identity cannot say.
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
        let found: HashMap<_, _> = self.ask(community, references).await?.into_iter().collect();
        let members = references
            .iter()
            .map(|reference| found.get(reference).filter(|member| member.active).cloned());
        members.collect::<Option<_>>().ok_or_else(not_found)
    }

    /// The member with this id.
    ///
    /// # Errors
    /// USER_NOT_FOUND, UNREACHABLE when identity cannot say.
    pub async fn member(&self, community: CommunityId, id: UserId) -> Result<Arc<Member>> {
        let look_up = async {
            let found = self.ask(community, &[id.to_string()]).await?;
            // A username may look like an id.
            let mut members = found.into_iter().map(|(_, member)| member);
            members.find(|member| member.id == id).ok_or_else(not_found)
        };
        self.members.get_or_load((community, id), look_up).await
    }

    /// Those of the users who are members, asked for at once.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say.
    pub async fn members(
        &self,
        community: CommunityId,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Member>>> {
        let ids: HashSet<_> = ids.into_iter().collect();
        let mut members = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match self.members.get(&(community, id)) {
                Some(member) => {
                    members.insert(id, member);
                }
                None => unknown.push(id.to_string()),
            }
        }
        for references in unknown.chunks(BATCH) {
            let found = self.ask(community, references).await?;
            members.extend(found.into_iter().map(|(_, member)| (member.id, member)));
        }
        Ok(members)
    }

    /// Asks identity, and remembers whom it names.
    async fn ask(
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

/// Who may not act is nobody to those who name him.
fn may_act(member: Arc<Member>) -> Result<Arc<Member>> {
    if member.active {
        Ok(member)
    } else {
        Err(not_found())
    }
}

fn not_found() -> Error {
    Error::new(Reason::UserNotFound, "User not found")
}
