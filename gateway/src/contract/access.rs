//! Who may call an endpoint, from the columns `auth` and `permission`.

use guildhall_auth::{AccessRule, CredentialKind, Permission, Role, permission};

use super::cell;

/// Who may call an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Kinds of credentials that the guard knows; none where everybody may come this far.
    pub credentials: Vec<CredentialKind>,
    /// Credentials that open one record alone, so that only its service can check them.
    pub own: Vec<OwnCredential>,
    /// What a community key or user key must carry.
    pub permissions: Permissions,
    /// The least role of the member behind a JWT; unspecified where JWTs are not taken.
    pub role: Role,
    /// Also admits a JWT whose roles grant this.
    pub flag: Option<RoleFlag>,
    /// What the record itself decides, which its service checks.
    pub conditions: Vec<Condition>,
}

/// A credential that opens one record alone, so that only its service can check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCredential {
    /// The key of a webhook or workflow.
    WebhookKey,
    /// The token of a session with a workflow.
    SessionToken,
    /// The token of a link that works once, in the query.
    LinkToken,
    /// The id and key of a widget's access, in the body.
    WidgetAccess,
    /// The token of an embedded widget.
    EmbedToken,
    /// None is needed, where the record says so.
    Nothing,
}

/// What a community key or user key must carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Permissions {
    /// Any key of the kinds named.
    #[default]
    None,
    /// Keys with this permission.
    One(Permission),
    /// Keys with all of these.
    All(Vec<Permission>),
    /// Keys with one of these: which one depends on the record.
    Either(Vec<Permission>),
    /// A permission that the platform does not have yet.
    Coming(&'static str),
}

/// A right that roles of a community grant to their members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleFlag {
    /// `manage_roles`
    ManageRoles,
    /// `manage_channels`
    ManageChannels,
    /// `suspend_members`
    SuspendMembers,
}

/// What the record itself decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The caller's own records, or those that their role opens.
    Own,
    /// The caller's own record by a user key with this permission.
    OwnWith(Permission),
    /// The caller takes part in the chat.
    Participant,
    /// The caller wrote the message.
    Author,
    /// The caller administers the chat.
    ChatAdmin,
    /// The caller administers the chat, or means themselves.
    ChatAdminOrSelf,
}

/// Permissions that rows name and no key can carry yet.
const COMING: &[&str] = &["audit"];

/// Cells that are written as text, and what they mean.
const SENTENCES: &[(&str, Sentence)] = &[
    (
        "session token of the handshake",
        Sentence::Presents(OwnCredential::SessionToken),
    ),
    (
        "single-use token in the query",
        Sentence::Presents(OwnCredential::LinkToken),
    ),
    (
        "accessId and accessKey in the body",
        Sentence::Presents(OwnCredential::WidgetAccess),
    ),
    ("participant", Sentence::Depends(Condition::Participant)),
    ("author", Sentence::Depends(Condition::Author)),
    ("chat admin", Sentence::Depends(Condition::ChatAdmin)),
    (
        "chat admin or self",
        Sentence::Depends(Condition::ChatAdminOrSelf),
    ),
];

#[derive(Debug, Clone, Copy)]
enum Sentence {
    Presents(OwnCredential),
    Depends(Condition),
}

impl Access {
    /// Reads the two cells.
    pub fn read(auth: &'static str, permission: &'static str) -> Result<Self, String> {
        let mut access = Self::default();
        for word in cell::list(auth, '|') {
            access.add_credential(word)?;
        }
        if access.credentials.contains(&CredentialKind::Jwt) {
            access.role = Role::Member;
        }
        match SENTENCES.iter().find(|(text, _)| *text == permission) {
            Some((_, Sentence::Presents(credential))) => access.own = vec![*credential],
            Some((_, Sentence::Depends(condition))) => access.conditions.push(*condition),
            None => {
                for word in cell::list(permission, ' ') {
                    access.add_need(word)?;
                }
            }
        }
        Ok(access)
    }

    /// The rule that the gateway's guard goes by.
    ///
    /// # Errors
    /// What it cannot ask for yet: several permissions at once, or a role's flag.
    pub fn rule(&self) -> Result<AccessRule, String> {
        if self.credentials.is_empty() {
            return Ok(AccessRule::Public);
        }
        let permission = match &self.permissions {
            Permissions::None => None,
            Permissions::One(permission) => Some(*permission),
            other @ (Permissions::All(_) | Permissions::Either(_) | Permissions::Coming(_)) => {
                return Err(format!("the gateway cannot ask for {other:?} yet"));
            }
        };
        if let Some(flag) = self.flag {
            return Err(format!("the gateway cannot ask for {flag:?} yet"));
        }
        Ok(AccessRule::credential(
            &self.credentials,
            permission,
            self.role,
        ))
    }

    /// The same without some kinds of credentials.
    ///
    /// # Errors
    /// A kind that is not taken anyway, and all of them: nobody would be let in.
    pub fn without(mut self, kinds: &[CredentialKind]) -> Result<Self, String> {
        if let Some(other) = kinds.iter().find(|kind| !self.credentials.contains(kind)) {
            return Err(format!(
                "the row does not take {other:?} in the first place"
            ));
        }
        self.credentials.retain(|kind| !kinds.contains(kind));
        if !kinds.is_empty() && self.credentials.is_empty() {
            return Err("nobody would be let in".to_owned());
        }
        if !self.credentials.contains(&CredentialKind::Jwt) {
            self.role = Role::Unspecified;
            self.flag = None;
        }
        Ok(self)
    }

    fn add_credential(&mut self, word: &str) -> Result<(), String> {
        use CredentialKind::{CommunityKey, Jwt, SendbirdToken, SystemKey, UserKey};
        match word {
            "system-key" => self.credentials.push(SystemKey),
            "community-key" => self.credentials.push(CommunityKey),
            "user-key" => self.credentials.push(UserKey),
            "community-or-user-key" => self.credentials.extend([CommunityKey, UserKey]),
            "jwt" | "mudbase-jwt" => self.credentials.push(Jwt),
            "sendbird-token" => self.credentials.push(SendbirdToken),
            "webhook-key" => self.own.push(OwnCredential::WebhookKey),
            "embed-token" => self.own.push(OwnCredential::EmbedToken),
            "none" if !self.own.is_empty() => self.own.push(OwnCredential::Nothing),
            "none" => {}
            _ => return Err(format!("unknown credential {word:?}")),
        }
        Ok(())
    }

    fn add_need(&mut self, word: &'static str) -> Result<(), String> {
        match word.split_once(':') {
            Some(("role", role)) => self.role = read_role(role)?,
            Some(("flag", flag)) => self.flag = Some(read_flag(flag)?),
            Some(_) => return Err(format!("unknown word {word:?}")),
            None if word == "self" => self.conditions.push(Condition::Own),
            // After `self` comes what the holder of a user key needs for their own record.
            None if self.conditions.contains(&Condition::Own) => {
                self.conditions
                    .push(Condition::OwnWith(read_permission(word)?));
            }
            None => self.permissions = read_permissions(word)?,
        }
        Ok(())
    }
}

fn read_role(name: &str) -> Result<Role, String> {
    match name {
        "owner" => Ok(Role::Owner),
        "admin" => Ok(Role::Admin),
        "member" => Ok(Role::Member),
        _ => Err(format!("unknown role {name:?}")),
    }
}

fn read_flag(name: &str) -> Result<RoleFlag, String> {
    match name {
        "manage_roles" => Ok(RoleFlag::ManageRoles),
        "manage_channels" => Ok(RoleFlag::ManageChannels),
        "suspend_members" => Ok(RoleFlag::SuspendMembers),
        _ => Err(format!("unknown role flag {name:?}")),
    }
}

/// `a`, `a+b` for both, `a/b` for one of them.
fn read_permissions(word: &'static str) -> Result<Permissions, String> {
    let each = |separator: char| -> Result<Vec<_>, String> {
        word.split(separator).map(read_permission).collect()
    };
    if word.contains('+') {
        each('+').map(Permissions::All)
    } else if word.contains('/') {
        each('/').map(Permissions::Either)
    } else if COMING.contains(&word) {
        Ok(Permissions::Coming(word))
    } else {
        read_permission(word).map(Permissions::One)
    }
}

fn read_permission(name: &str) -> Result<Permission, String> {
    permission::parse(name).map_err(|_| format!("unknown permission {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(auth: &'static str, permission: &'static str) -> Access {
        Access::read(auth, permission).unwrap()
    }

    #[test]
    fn what_only_a_service_can_check_is_open_at_the_gateway() {
        let receive = access("webhook-key|none", "-");
        assert_eq!(receive.rule(), Ok(AccessRule::Public));
        assert_eq!(
            receive.own,
            [OwnCredential::WebhookKey, OwnCredential::Nothing]
        );
        let event = access("webhook-key", "session token of the handshake");
        assert_eq!(event.own, [OwnCredential::SessionToken]);
        assert_eq!(access("none", "-").own, []);
    }

    #[test]
    fn permissions_roles_flags_and_conditions_are_told_apart() {
        let both = access("community-key|jwt", "createUser+bulkUpdateUser role:admin");
        assert!(matches!(&both.permissions, Permissions::All(all) if all.len() == 2));
        assert_eq!(both.role, Role::Admin);
        assert!(both.rule().is_err());
        let either = access("community-key", "sendMessage/manageMessages");
        assert!(matches!(&either.permissions, Permissions::Either(all) if all.len() == 2));
        let channels = access(
            "system-key|jwt",
            "manageChannels role:admin flag:manage_channels",
        );
        assert_eq!(channels.flag, Some(RoleFlag::ManageChannels));
        assert!(channels.rule().is_err());
        let keys = channels.without(&[CredentialKind::Jwt]).unwrap();
        assert_eq!((keys.flag, keys.role), (None, Role::Unspecified));
        let update = access(
            "jwt|user-key",
            "manageUser role:admin self updateOwnProfile",
        );
        let own = [
            Condition::Own,
            Condition::OwnWith(Permission::UpdateOwnProfile),
        ];
        assert_eq!(update.conditions, own);
        assert_eq!(update.permissions, Permissions::One(Permission::ManageUser));
    }

    #[test]
    fn access_is_narrowed_and_never_widened() {
        let row = || access("community-key|jwt", "webhooks role:admin");
        let keys = row().without(&[CredentialKind::Jwt]).unwrap();
        let rule = AccessRule::credential(
            &[CredentialKind::CommunityKey],
            Some(Permission::Webhooks),
            Role::Unspecified,
        );
        assert_eq!(keys.rule(), Ok(rule));
        assert!(row().without(&[CredentialKind::UserKey]).is_err());
        let all = [CredentialKind::CommunityKey, CredentialKind::Jwt];
        assert!(
            row().without(&all).is_err(),
            "and not made public by taking everything away"
        );
    }
}
