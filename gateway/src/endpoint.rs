//! What an endpoint declares before it exists.
//!
//! The router and the documentation are built from [`Endpoint`]s alone. An endpoint names its row of
//! the contract and its handler; everything else follows from them, or is a difference that is
//! written down here.

use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use guildhall_auth::{AccessRule, CredentialKind, credential::Scheme};
use guildhall_runtime::{Error, Reason, Result};
use http::Method;

use crate::{
    contract::{Access, Contract, Envelope, Row},
    document::{Body, Documentation, Media, Parameters},
    envelope::{Family, FieldNames},
    prefix,
    signature::Signature,
    upstream::Services,
};

/// What is public about a route.
#[derive(Debug, Clone)]
pub struct EndpointInfo {
    /// Its row of the contract.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// Its method.
    pub method: Method,
    /// Its canonical path, with parameters in braces.
    pub path: &'static str,
    /// Paths that mean the same and differ in more than the prefix.
    pub aliases: Vec<&'static str>,
    /// Who is let in.
    pub access: AccessRule,
    /// The family of its answers.
    pub family: Family,
    /// The RPC that it is made of, or the first of them.
    pub rpc: Option<&'static str>,
}

/// How its requests are checked and answered; shared by all its routes.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Who is let in.
    pub access: AccessRule,
    /// Names of fields that do not follow from those of the RPC.
    pub names: FieldNames,
    family: Family,
    system_key_family: Option<Family>,
}

impl Declaration {
    /// The family of the answers to a request with a credential of this scheme.
    pub fn family(&self, scheme: Option<Scheme>) -> Family {
        match (scheme, self.system_key_family) {
            (Some(Scheme::SystemKey), Some(family)) => family,
            (Some(Scheme::SystemKey | Scheme::Bearer | Scheme::SendbirdToken) | None, _) => {
                self.family
            }
        }
    }
}

/// An endpoint as the code declares it.
pub struct Endpoint {
    id: &'static str,
    serve: Box<dyn FnOnce(MethodFilter) -> MethodRouter<Services>>,
    documentation: Documentation,
    names: FieldNames,
    without: &'static [CredentialKind],
    system_key_family: Option<Family>,
    beside: Option<Row>,
}

impl Endpoint {
    /// The endpoint of a row, served by a handler that reads no body. `answer` makes an example of
    /// its success.
    pub fn new<H, Marker, Arguments>(
        id: &'static str,
        handler: H,
        answer: fn() -> H::Answer,
    ) -> Self
    where
        H: Handler<Marker, Services> + Signature<Arguments, Body = ()>,
        H::Answer: Body + 'static,
        Marker: 'static,
    {
        Self::of(id, handler, None, answer)
    }

    /// The endpoint of a row, served by a handler that reads a body. `body` makes an example of it.
    pub fn taking<H, Marker, Arguments>(
        id: &'static str,
        handler: H,
        body: fn() -> H::Body,
        answer: fn() -> H::Answer,
    ) -> Self
    where
        H: Handler<Marker, Services> + Signature<Arguments>,
        H::Body: Body + 'static,
        H::Answer: Body + 'static,
        Marker: 'static,
    {
        Self::of(id, handler, Some(Media::of_request(body)), answer)
    }

    fn of<H, Marker, Arguments>(
        id: &'static str,
        handler: H,
        body: Option<Media>,
        answer: fn() -> H::Answer,
    ) -> Self
    where
        H: Handler<Marker, Services> + Signature<Arguments>,
        H::Answer: Body + 'static,
        Marker: 'static,
    {
        Self {
            id,
            serve: Box::new(|method| on(method, handler)),
            documentation: Documentation::new(H::query, body, Media::of_answer(answer)),
            names: &[],
            without: &[],
            system_key_family: None,
            beside: None,
        }
    }

    /// What it does, for its callers.
    pub fn about(mut self, text: &'static str) -> Self {
        self.documentation.about = text;
        self
    }

    /// The RPC that it is made of.
    pub fn calls(mut self, rpc: &'static str) -> Self {
        self.documentation.rpc = Some(rpc);
        self
    }

    /// Kinds of credentials of its row that it does not take.
    pub fn without(mut self, kinds: &'static [CredentialKind]) -> Self {
        self.without = kinds;
        self
    }

    /// Fields that its callers know under other names than those that follow from the RPC's.
    pub fn naming(mut self, names: FieldNames) -> Self {
        self.names = names;
        self
    }

    /// What it refuses beyond what every endpoint does.
    pub fn refusing(mut self, reasons: &'static [Reason]) -> Self {
        self.documentation.reasons = reasons;
        self
    }

    /// Parameters that do not follow from their name in the path or from the query's type.
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.documentation.parameters = parameters;
        self
    }

    /// Another form of its success, or its answer with another status.
    pub fn answering(mut self, status: u16, name: &'static str, answer: Media) -> Self {
        self.documentation.answers.push((status, name, answer));
        self
    }

    /// System keys are answered in another family.
    pub fn answering_system_keys_in(mut self, family: Family) -> Self {
        self.system_key_family = Some(family);
        self
    }

    /// The contract speaks of it without giving it a row: this is what the row would say.
    pub fn beside_the_list(mut self, row: Row) -> Self {
        self.beside = Some(row);
        self
    }

    /// The endpoint as its row says.
    ///
    /// # Errors
    /// A broken build: no such row, or a difference from it that does not narrow it.
    pub fn bind(self, contract: &Contract) -> Result<Bound> {
        let id = self.id;
        self.bound(contract)
            .map_err(|why| Error::bug(format!("endpoint {id}: {why}")))
    }

    fn bound(self, contract: &Contract) -> Result<Bound, String> {
        let row = match (self.beside, contract.row(self.id)) {
            (None, Some(row)) => row.clone(),
            (Some(row), None) => row,
            (None, None) => return Err("the contract has no such row".to_owned()),
            (Some(_), Some(_)) => return Err("the contract lists it meanwhile".to_owned()),
        };
        let Envelope::Json(family) = row.envelope else {
            return Err("pages for browsers cannot be served yet".to_owned());
        };
        let access = row.access.clone().without(self.without)?;
        let method = MethodFilter::try_from(row.method.clone()).map_err(|why| why.to_string())?;
        let handler = (self.serve)(method);
        let paths = std::iter::once(row.path).chain(row.aliases.iter().copied());
        Ok(Bound {
            declaration: Declaration {
                access: access.rule()?,
                names: self.names,
                family,
                system_key_family: self.system_key_family,
            },
            routes: paths
                .map(|path| (prefix::routed(path).to_owned(), handler.clone()))
                .collect(),
            documentation: self.documentation,
            is_listed: contract.row(self.id).is_some(),
            access,
            row,
        })
    }
}

/// An endpoint with its row.
pub struct Bound {
    pub row: Row,
    pub declaration: Declaration,
    /// Who may call it: its row, narrowed.
    pub access: Access,
    pub documentation: Documentation,
    /// Whether the contract's list has a row for it.
    pub is_listed: bool,
    /// The path of each of its routes, the canonical one first.
    pub routes: Vec<(String, MethodRouter<Services>)>,
}

impl Bound {
    /// The canonical path and its aliases, as they are documented.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.row.path).chain(self.row.aliases.iter().copied())
    }

    /// What is public about it.
    pub fn info(&self) -> EndpointInfo {
        EndpointInfo {
            id: self.row.id,
            title: self.row.title,
            method: self.row.method.clone(),
            path: self.row.path,
            aliases: self.row.aliases.clone(),
            access: self.declaration.access.clone(),
            family: self.declaration.family,
            rpc: self.documentation.rpc,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;

    use super::*;

    async fn handler() -> Json<String> {
        Json(String::new())
    }

    fn bound(id: &'static str, change: impl Fn(Endpoint) -> Endpoint) -> Result<Bound> {
        let endpoint = Endpoint::new(id, handler, String::new);
        change(endpoint).bind(&Contract::load().unwrap())
    }

    #[test]
    fn an_endpoint_is_what_its_row_says() {
        let endpoint = bound("webhooks-out-list", |endpoint| endpoint)
            .unwrap()
            .info();
        assert_eq!(
            (endpoint.method, endpoint.path),
            (Method::GET, "/v1/webhooks/outgoing")
        );
        assert_eq!(endpoint.family, Family::Application);
        let kinds = [CredentialKind::Jwt, CredentialKind::CommunityKey];
        let permission = Some(guildhall_auth::Permission::Webhooks);
        let rule = AccessRule::credential(&kinds, permission, guildhall_auth::Role::Admin);
        assert_eq!(endpoint.access, rule);
    }

    #[test]
    fn an_endpoint_without_a_row_does_not_start() {
        assert!(bound("no-such-row", |endpoint| endpoint).is_err());
    }

    #[test]
    fn an_endpoint_can_only_narrow_its_row() {
        let without = |kinds| bound("webhooks-out-list", move |endpoint| endpoint.without(kinds));
        let narrow = without(&[CredentialKind::Jwt]).unwrap();
        assert_eq!(narrow.access.credentials, [CredentialKind::CommunityKey]);
        assert!(
            without(&[CredentialKind::SystemKey]).is_err(),
            "what the row does not take"
        );
        assert!(without(&[CredentialKind::Jwt, CredentialKind::CommunityKey]).is_err());
    }

    #[test]
    fn what_the_gateway_cannot_check_yet_does_not_start() {
        for id in [
            "bulk-import",
            "messages-edit",
            "roles-create",
            "audit-list",
            "auth-login-redeem",
        ] {
            assert!(bound(id, |endpoint| endpoint).is_err(), "{id}");
        }
    }
}
