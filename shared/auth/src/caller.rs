//! Who the caller turns out to be. A handler gets the community from here and nowhere else.

use std::{collections::HashSet, sync::Arc};

use guildhall_proto::access::v1::{CredentialKind, Permission, Role};
use guildhall_runtime::Timestamp;
use guildhall_types::{ChannelId, CommunityId, IdempotencyKey, KeyId, UserId};
use zeroize::Zeroizing;

use crate::Permissions;

/// The gRPC metadata of an Idempotency-Key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The caller of an RPC.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The one community in which everything they do happens.
    pub community: CommunityId,
    /// What they may do.
    pub authority: Authority,
    /// When their credential stops being valid; none for never.
    pub expires_at: Option<Timestamp>,
    pub(crate) seal_secret: Zeroizing<Vec<u8>>,
}

/// What kind of caller it is, with what bounds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// The community's one system key.
    SystemKey {
        /// The key.
        key: KeyId,
        /// Who made it.
        maker: UserId,
    },
    /// A key that admins made.
    CommunityKey {
        /// The key.
        key: KeyId,
        /// Who made it.
        maker: UserId,
        /// What it may do.
        permissions: Permissions,
    },
    /// A key that a member made for themselves.
    UserKey {
        /// The key.
        key: KeyId,
        /// Whose it is; it acts as them alone.
        owner: UserId,
        /// What it may do.
        permissions: Permissions,
        /// Where it may do it.
        channels: ChannelLimit,
    },
    /// A logged-in member.
    Member {
        /// The user.
        user: UserId,
        /// Their present role.
        role: Role,
    },
    /// A token of the Sendbird facade: all rights there.
    SendbirdToken {
        /// The token.
        key: KeyId,
        /// Who made it.
        maker: UserId,
    },
}

/// The channels that a key may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelLimit {
    /// Every channel that its owner may.
    Any,
    /// These alone.
    Only(Arc<HashSet<ChannelId>>),
}

impl ChannelLimit {
    /// Whether `channel` is within the limit.
    #[must_use]
    pub fn allows(&self, channel: ChannelId) -> bool {
        match self {
            Self::Any => true,
            Self::Only(channels) => channels.contains(&channel),
        }
    }
}

impl Caller {
    /// The kind of their credential.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self.authority {
            Authority::SystemKey { .. } => CredentialKind::SystemKey,
            Authority::CommunityKey { .. } => CredentialKind::CommunityKey,
            Authority::UserKey { .. } => CredentialKind::UserKey,
            Authority::Member { .. } => CredentialKind::Jwt,
            Authority::SendbirdToken { .. } => CredentialKind::SendbirdToken,
        }
    }

    /// The only user that they may act as; none when they may act as any member.
    #[must_use]
    pub fn acts_only_as(&self) -> Option<UserId> {
        match &self.authority {
            Authority::UserKey { owner, .. } => Some(*owner),
            Authority::Member { user, .. } => Some(*user),
            Authority::SystemKey { .. }
            | Authority::CommunityKey { .. }
            | Authority::SendbirdToken { .. } => None,
        }
    }

    /// The user who counts as the author of what is made: the caller, or who made the key.
    #[must_use]
    pub fn user(&self) -> UserId {
        match &self.authority {
            Authority::SystemKey { maker, .. }
            | Authority::CommunityKey { maker, .. }
            | Authority::SendbirdToken { maker, .. } => *maker,
            Authority::UserKey { owner, .. } => *owner,
            Authority::Member { user, .. } => *user,
        }
    }

    /// The key that is called with; none for a JWT.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match &self.authority {
            Authority::SystemKey { key, .. }
            | Authority::CommunityKey { key, .. }
            | Authority::UserKey { key, .. }
            | Authority::SendbirdToken { key, .. } => Some(*key),
            Authority::Member { .. } => None,
        }
    }

    /// Their role, when they are a logged-in member.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match &self.authority {
            Authority::Member { role, .. } => Some(*role),
            Authority::SystemKey { .. }
            | Authority::CommunityKey { .. }
            | Authority::UserKey { .. }
            | Authority::SendbirdToken { .. } => None,
        }
    }

    /// Whether their credential carries `permission`. System keys and Sendbird tokens carry all
    /// that their kind may; members are bounded by their role instead.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        match &self.authority {
            Authority::CommunityKey { permissions, .. }
            | Authority::UserKey { permissions, .. } => permissions.contains(permission),
            Authority::SystemKey { .. }
            | Authority::Member { .. }
            | Authority::SendbirdToken { .. } => true,
        }
    }

    /// The channels that their key may touch.
    #[must_use]
    pub fn channels(&self) -> &ChannelLimit {
        match &self.authority {
            Authority::UserKey { channels, .. } => channels,
            Authority::SystemKey { .. }
            | Authority::CommunityKey { .. }
            | Authority::Member { .. }
            | Authority::SendbirdToken { .. } => &ChannelLimit::Any,
        }
    }

    /// What names their credential in the idempotency table, without being it.
    fn credential_name(&self) -> String {
        match self.key() {
            Some(key) => key.to_string(),
            None => self.user().to_string(),
        }
    }

    /// Scopes an Idempotency-Key to their credential.
    #[must_use]
    pub fn idempotency_key(&self, key: String) -> IdempotencyKey {
        IdempotencyKey {
            name: "Idempotency-Key",
            community: self.community,
            credential: self.credential_name(),
            key,
            seal_secret: self.seal_secret.clone(),
        }
    }
}
