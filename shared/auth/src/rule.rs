//! Who is let in: the protos' `access` option, and the same thing for REST routes.

use std::{collections::HashMap, sync::Arc};

use guildhall_proto::access::v1::{Access, CredentialKind, Idempotency, Permission, Role};
use guildhall_runtime::{Error, Reason, Result};
use http::HeaderMap;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

use crate::{Caller, Credential, caller::IDEMPOTENCY_KEY};

/// The standard health check.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// Who may call an RPC or a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessRule {
    /// Everybody.
    Public,
    /// Services of Guildhall alone.
    Internal,
    /// Whoever meets this.
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
    /// Who may call it.
    pub access: Arc<AccessRule>,
    /// What a repeat does.
    pub idempotency: Idempotency,
    /// Whether it answers with a stream.
    pub streaming: bool,
}

/// The rules of all our RPCs, by path (`/guildhall.area.v1.Service/Method`).
#[derive(Debug, Clone)]
pub struct RpcTable(Arc<HashMap<String, RpcRule>>);

impl RpcTable {
    /// Reads the options of every method.
    ///
    /// # Errors
    /// A broken build: a method without its options, or with contradictory ones, by name.
    pub fn load() -> Result<Self> {
        let pool = DescriptorPool::decode(guildhall_proto::DESCRIPTORS).map_err(Error::internal)?;
        let mut rules = HashMap::new();
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let rule =
                rule_of(&pool, &method).map_err(|why| Error::bug(format!("{path}: {why}")))?;
            rules.insert(path, rule);
        }
        Ok(Self(Arc::new(rules)))
    }

    /// The rule of a method.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&RpcRule> {
        self.0.get(path)
    }

    /// Whether a call may be made again although it may have been processed already. A health
    /// check may; of other methods that are not ours nobody knows.
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
        self.0.iter().map(|(path, rule)| (path.as_str(), rule))
    }
}

fn rule_of(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<RpcRule, String> {
    let options = method.options();
    let access = match extension(pool, &options, "guildhall.access.v1.access")? {
        Some(Value::Message(access)) => {
            Access::decode(access.encode_to_vec().as_slice()).map_err(|error| error.to_string())?
        }
        _ => return Err("it has no option `access`".into()),
    };
    let idempotency = match extension(pool, &options, "guildhall.access.v1.idempotency")? {
        Some(Value::EnumNumber(number)) => Idempotency::try_from(number).ok(),
        _ => None,
    };
    Ok(RpcRule {
        access: Arc::new(access_rule(&access)?),
        streaming: method.is_server_streaming(),
        idempotency: idempotency
            .filter(|idempotency| *idempotency != Idempotency::Unspecified)
            .ok_or("it has no option `idempotency`")?,
    })
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
