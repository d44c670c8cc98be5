//! Every row that is served, also those that are open to all: what is true of all of them is tested on
//! this list.

use guildhall_auth::{AccessRule, CredentialKind};
use guildhall_gateway::EndpointInfo;
use guildhall_testkit::Call;

use crate::{Community, Credential, Family, operation::Kind, parameters::UNKNOWN};

/// A row that is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// What the gateway declares of it.
    pub endpoint: EndpointInfo,
    /// The family of its refusals.
    pub family: Family,
}

/// Every row that is served.
///
/// # Panics
/// When the gateway is broken.
pub fn rows() -> impl Iterator<Item = Served> {
    let endpoints = guildhall_gateway::endpoints().expect("the endpoints");
    endpoints.into_iter().map(|endpoint| Served {
        family: Family::named(endpoint.family.contract_name()),
        endpoint,
    })
}

impl Served {
    /// A credential that it takes.
    #[must_use]
    pub fn credential(&self, community: &Community) -> Credential {
        let AccessRule::Credential { kinds, .. } = &self.endpoint.access else {
            return Credential::Missing;
        };
        let kind = match kinds.first() {
            Some(CredentialKind::SystemKey) => Kind::SystemKey,
            Some(CredentialKind::UserKey) => Kind::UserKey,
            Some(CredentialKind::Jwt) => Kind::Jwt,
            Some(CredentialKind::SendbirdToken) => Kind::SendbirdToken,
            Some(CredentialKind::CommunityKey | CredentialKind::Unspecified) | None => {
                Kind::CommunityKey
            }
        };
        community.credential(kind)
    }

    /// The names of the parameters in its path.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> + use<> {
        let segments = self.endpoint.path.split('/');
        segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Its path, with `value` for this parameter and a record that is not there for the others.
    #[must_use]
    pub fn path(&self, parameter: &str, value: &str) -> String {
        self.parameters()
            .fold(self.endpoint.path.to_owned(), |path, name| {
                let text = match name {
                    _ if name == parameter => value,
                    "channel_type" => "group_channels",
                    "message_id" => "1",
                    _ => UNKNOWN,
                };
                path.replace(&format!("{{{name}}}"), text)
            })
    }

    /// A call with a good credential and, where it takes one, an empty body.
    #[must_use]
    pub fn call(&self, community: &Community, path: &str) -> Call {
        let call = community.rest.call(self.endpoint.method.clone(), path);
        self.credential(community).sign(call)
    }
}
