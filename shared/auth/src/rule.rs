//! Who is let in: the protos' `access` options, and the same thing for REST routes.

use std::{collections::HashMap, sync::Arc};

use guildhall_proto::access::v1::{Access, CredentialKind, Idempotency, Permission, Role};
use guildhall_runtime::{Error, Reason, Result};
use http::HeaderMap;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

use crate::{Caller, Credential, caller::IDEMPOTENCY_KEY};

/// The largest request of an RPC that declares nothing else, in bytes.
pub const MAX_REQUEST: usize = 1024 * 1024;

/// The standard health check.
pub(crate) const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// Who may call an RPC or a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessRule {
    /// Everybody.
    Public,
    /// Services of Guildhall alone.
    Internal,
    /// Callers that meet this.
    Credential {
        /// The kinds of credentials that are let in.
        kinds: Vec<CredentialKind>,
        /// What a community key or user key must carry.
        permission: Option<Permission>,
        /// The least role of the member behind a JWT.
        role: Role,
    },
}

impl AccessRule {
    /// A rule for callers with one of `kinds`.
    #[must_use]
    pub fn credential(
        kinds: &[CredentialKind],
        permission: Option<Permission>,
        role: Role,
    ) -> Self {
        Self::Credential {
            kinds: kinds.to_vec(),
            permission,
            role,
        }
    }

    /// Whether the rule lets the caller in.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID for another kind of credential, PERMISSION_MISSING and ROLE_MISSING.
    pub fn check(&self, caller: &Caller) -> Result<()> {
        match self {
            Self::Public => Ok(()),
            Self::Internal => Err(Error::new(
                Reason::InternalOnly,
                "This method is for services of Guildhall alone",
            )),
            Self::Credential { kinds, .. } if !kinds.contains(&caller.kind()) => {
                Err(Credential::invalid())
            }
            Self::Credential {
                permission: Some(permission),
                ..
            } if !caller.has(*permission) => Err(Error::new(
                Reason::PermissionMissing,
                "Insufficient permission",
            )),
            Self::Credential { role, .. } if caller.role().is_some_and(|has| has < *role) => {
                Err(Error::new(Reason::RoleMissing, "Insufficient permission"))
            }
            Self::Credential { .. } => Ok(()),
        }
    }
}

/// What a method declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcRule {
    /// Its path (`/guildhall.area.v1.Service/Method`).
    pub path: Arc<str>,
    /// Who may call it.
    pub access: Arc<AccessRule>,
    /// What a repeat does.
    pub idempotency: Idempotency,
    /// Whether it answers with a stream.
    pub streaming: bool,
    /// The largest request, in bytes.
    pub max_request: usize,
}

/// The rules of all our RPCs, by path.
#[derive(Debug, Clone)]
pub struct RpcTable(Arc<HashMap<Arc<str>, Arc<RpcRule>>>);

impl RpcTable {
    /// Reads the options of every method, and those of its service.
    ///
    /// # Errors
    /// A broken build: a method without options, or with contradictory ones, by name.
    pub fn load() -> Result<Self> {
        let pool = DescriptorPool::decode(guildhall_proto::DESCRIPTORS).map_err(Error::internal)?;
        let mut rules = HashMap::new();
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let path: Arc<str> = path.into();
            let rule = rule_of(&pool, &method, Arc::clone(&path));
            let rule = rule.map_err(|why| Error::bug(format!("{path}: {why}")))?;
            rules.insert(path, Arc::new(rule));
        }
        Ok(Self(Arc::new(rules)))
    }

    /// The rule of a method.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Arc<RpcRule>> {
        self.0.get(path)
    }

    /// Whether a call may be made again although it may have been processed already. A health
    /// check may; of other methods that are not ours it is not known.
    #[must_use]
    pub fn is_repeatable(&self, path: &str, headers: &HeaderMap) -> bool {
        match self.get(path).map(|rule| rule.idempotency) {
            Some(Idempotency::ReadOnly | Idempotency::Repeatable) => true,
            Some(Idempotency::Keyed) => headers.contains_key(IDEMPOTENCY_KEY),
            Some(Idempotency::Unspecified) => false,
            None => path == HEALTH_CHECK,
        }
    }

    /// Every method and its rule.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RpcRule)> {
        self.0.iter().map(|(path, rule)| (&**path, &**rule))
    }
}

fn rule_of(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    path: Arc<str>,
) -> Result<RpcRule, String> {
    let options = method.options();
    let own = access_in(pool, &options, "guildhall.access.v1.access")?;
    let service = method.parent_service().options();
    let default = access_in(pool, &service, "guildhall.access.v1.default_access")?;
    let idempotency = match extension(pool, &options, "guildhall.access.v1.idempotency")? {
        Some(Value::EnumNumber(number)) => Idempotency::try_from(number).ok(),
        _ => None,
    };
    Ok(RpcRule {
        path,
        access: Arc::new(declared(own, default)?),
        streaming: method.is_server_streaming(),
        max_request: max_request(pool, &options)?,
        idempotency: idempotency
            .filter(|idempotency| *idempotency != Idempotency::Unspecified)
            .ok_or("it has no option `idempotency`")?,
    })
}

/// What the option `max_request_bytes` says.
fn max_request(pool: &DescriptorPool, options: &DynamicMessage) -> Result<usize, String> {
    match extension(pool, options, "guildhall.access.v1.max_request_bytes")? {
        None => Ok(MAX_REQUEST),
        Some(Value::U32(bytes)) if bytes > 0 => {
            usize::try_from(bytes).map_err(|error| error.to_string())
        }
        Some(_) => Err("`max_request_bytes` must be above 0".into()),
    }
}

/// A method's own access replaces the default of its service as a whole.
fn declared(own: Option<Access>, default: Option<Access>) -> Result<AccessRule, String> {
    let access = own.or(default);
    access_rule(&access.ok_or("it has no option `access`, and its service no `default_access`")?)
}

fn access_in(
    pool: &DescriptorPool,
    options: &DynamicMessage,
    name: &str,
) -> Result<Option<Access>, String> {
    let Some(Value::Message(access)) = extension(pool, options, name)? else {
        return Ok(None);
    };
    let access = Access::decode(access.encode_to_vec().as_slice());
    access.map(Some).map_err(|error| error.to_string())
}

fn extension(
    pool: &DescriptorPool,
    options: &DynamicMessage,
    name: &str,
) -> Result<Option<Value>, String> {
    let extension = pool
        .get_extension_by_name(name)
        .ok_or("the option is not declared")?;
    Ok(options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned()))
}

fn access_rule(access: &Access) -> Result<AccessRule, String> {
    match (
        access.public,
        access.internal,
        access.credentials.is_empty(),
    ) {
        (true, false, true) => Ok(AccessRule::Public),
        (false, true, true) => Ok(AccessRule::Internal),
        (false, false, false) => Ok(AccessRule::Credential {
            kinds: access.credentials().collect(),
            permission: Some(access.permission()).filter(|p| *p != Permission::Unspecified),
            role: access.role(),
        }),
        _ => Err("`access` must be exactly one of credentials, internal and public".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_declares_who_may_call_it_and_what_a_repeat_does() {
        let table = RpcTable::load().unwrap();
        assert!(table.iter().count() >= 15);
        let send = table
            .get("/guildhall.messaging.v1.MessageService/SendMessage")
            .unwrap();
        assert_eq!(send.idempotency, Idempotency::Keyed);
        let AccessRule::Credential { permission, .. } = &*send.access else {
            panic!("{send:?}")
        };
        assert_eq!(*permission, Some(Permission::SendMessage));
    }

    #[test]
    fn what_needs_no_credential_takes_little() {
        let table = RpcTable::load().unwrap();
        for (path, rule) in table.iter() {
            let most = match &*rule.access {
                AccessRule::Public => 128 * 1024,
                AccessRule::Internal | AccessRule::Credential { .. } => MAX_REQUEST,
            };
            assert!(rule.max_request <= most, "{path}");
        }
    }

    #[test]
    fn only_what_changes_nothing_the_second_time_is_repeated() {
        let table = RpcTable::load().unwrap();
        let (plain, mut keyed) = (HeaderMap::new(), HeaderMap::new());
        keyed.insert(IDEMPOTENCY_KEY, http::HeaderValue::from_static("k"));
        let send = "/guildhall.messaging.v1.MessageService/SendMessage";
        assert!(!table.is_repeatable(send, &plain));
        assert!(table.is_repeatable(send, &keyed));
        let list = "/guildhall.messaging.v1.MessageService/ListMessages";
        assert!(table.is_repeatable(list, &plain));
        assert!(table.is_repeatable(HEALTH_CHECK, &plain));
        assert!(!table.is_repeatable("/unknown.v1.Service/Method", &keyed));
    }

    #[test]
    fn a_service_has_a_default_access_that_a_method_replaces() {
        let table = RpcTable::load().unwrap();
        let of = |method: &str| {
            let path = format!("/guildhall.webhooks.v1.IncomingWebhookService/{method}");
            AccessRule::clone(&table.get(&path).unwrap().access)
        };
        let admins = AccessRule::credential(
            &[CredentialKind::CommunityKey, CredentialKind::Jwt],
            Some(Permission::Webhooks),
            Role::Admin,
        );
        assert_eq!(of("ListIncomingWebhooks"), admins);
        assert_eq!(of("ReceiveCall"), AccessRule::Public);
    }

    #[test]
    fn a_method_needs_an_access_of_its_own_or_a_default() {
        let (public, internal) = (
            Access {
                public: true,
                ..Access::default()
            },
            Access {
                internal: true,
                ..Access::default()
            },
        );
        let (own, default) = (Some(public), Some(internal));
        assert_eq!(declared(own.clone(), None), Ok(AccessRule::Public));
        assert_eq!(declared(None, default.clone()), Ok(AccessRule::Internal));
        assert_eq!(declared(own, default.clone()), Ok(AccessRule::Public));
        assert!(declared(Some(Access::default()), default).is_err());
        assert!(declared(None, None).is_err());
    }

    #[test]
    fn a_contradictory_option_is_refused() {
        let nobody = Access::default();
        let both = Access {
            public: true,
            internal: true,
            ..Access::default()
        };
        assert!(access_rule(&nobody).is_err());
        assert!(access_rule(&both).is_err());
    }
}
