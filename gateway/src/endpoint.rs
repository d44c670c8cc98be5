//! What a route declares before it exists.
//!
//! The router is built from [`Endpoint`]s alone, so no route can be served without its row of the
//! contract, its envelope and its access rule.

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state, routing::MethodRouter};
use guildhall_auth::{AccessRule, CredentialKind, Permission, Role, credential::Scheme};
use guildhall_runtime::Reason;
use http::Method;
use utoipa::openapi::{HttpMethod, PathItem, RefOr, Schema, path::Operation};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::{
    admission::{self, Admission, Gate},
    envelope::{Family, FieldNames},
    metrics, prefix,
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
    pub path: String,
    /// Paths that mean the same and differ in more than the prefix.
    pub aliases: Vec<String>,
    /// Who is let in.
    pub access: AccessRule,
    /// The family of its answers.
    pub family: Family,
    /// The RPC that it is made of, or the first of them.
    pub rpc: Option<&'static str>,
}

/// What an endpoint declares; shared by all its routes.
#[derive(Debug, Clone)]
pub struct Declaration {
    pub id: &'static str,
    pub title: &'static str,
    pub access: AccessRule,
    pub rpc: Option<&'static str>,
    /// Names of the RPC's fields in the callers' words.
    pub names: FieldNames,
    /// What it refuses beyond what every endpoint does; for the documentation.
    pub reasons: &'static [Reason],
    /// What its callers present to the RPC itself, one of them; for the documentation.
    pub presents: &'static [OwnCredential],
    /// Whether the contract's list of endpoints has a row for it.
    pub listed: bool,
    family: Family,
    system_key_family: Option<Family>,
}

/// A credential that opens one record alone, so that only its service can check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCredential {
    /// The key of a webhook or workflow.
    WebhookKey,
    /// The token of a session with a workflow.
    SessionToken,
    /// None is needed, where the record says so.
    Nothing,
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

/// One path of an endpoint.
pub struct Route {
    /// Without prefix, as it is routed.
    pub path: String,
    pub method: Method,
    pub operation: Operation,
    pub schemas: Vec<(String, RefOr<Schema>)>,
    router: MethodRouter<Services>,
}

/// A row of the contract and what serves it.
pub struct Endpoint {
    pub declaration: Declaration,
    /// The canonical route first, then its aliases.
    pub routes: Vec<Route>,
}

impl Endpoint {
    /// An endpoint; `handler` comes from `routes!` and brings method, path and documentation.
    pub fn new(
        id: &'static str,
        title: &'static str,
        family: Family,
        access: AccessRule,
        handler: UtoipaMethodRouter<Services>,
    ) -> Self {
        Self {
            declaration: Declaration {
                id,
                title,
                access,
                rpc: None,
                names: &[],
                reasons: &[],
                presents: &[],
                listed: true,
                family,
                system_key_family: None,
            },
            routes: routes(handler),
        }
    }

    /// The RPC that it is made of.
    pub fn calls(mut self, rpc: &'static str) -> Self {
        self.declaration.rpc = Some(rpc);
        self
    }

    /// The same handler at another path.
    pub fn alias(mut self, path: &'static str) -> Self {
        if let Some(twin) = self.routes.first().map(|route| route.at(path)) {
            self.routes.push(twin);
        }
        self
    }

    /// Another handler of the same row at another path.
    pub fn alias_handled_by(mut self, handler: UtoipaMethodRouter<Services>) -> Self {
        self.routes.extend(routes(handler));
        self
    }

    /// Callers know the fields of the RPC under these names.
    pub fn naming(mut self, names: FieldNames) -> Self {
        self.declaration.names = names;
        self
    }

    /// What it refuses beyond what every endpoint does.
    pub fn refusing(mut self, reasons: &'static [Reason]) -> Self {
        self.declaration.reasons = reasons;
        self
    }

    /// What its callers present to the RPC itself, one of them: the route is open to all.
    pub fn presenting(mut self, credentials: &'static [OwnCredential]) -> Self {
        self.declaration.presents = credentials;
        self
    }

    /// The contract speaks of it without giving it a row.
    pub fn unlisted(mut self) -> Self {
        self.declaration.listed = false;
        self
    }

    /// System keys are answered in another family.
    pub fn answering_system_keys_in(mut self, family: Family) -> Self {
        self.declaration.system_key_family = Some(family);
        self
    }

    /// What is public about it.
    pub fn info(&self) -> EndpointInfo {
        let mut paths = self
            .routes
            .iter()
            .map(|route| prefix::documented(&route.path));
        let declaration = &self.declaration;
        EndpointInfo {
            id: declaration.id,
            title: declaration.title,
            method: self
                .routes
                .first()
                .map_or(Method::GET, |route| route.method.clone()),
            path: paths.next().unwrap_or_default(),
            aliases: paths.collect(),
            access: declaration.access.clone(),
            family: declaration.family,
            rpc: declaration.rpc,
        }
    }
}

/// The router of all endpoints; each lets in whom it declares.
pub fn router(endpoints: Vec<Endpoint>, gate: &Gate) -> Router<Services> {
    let mut router = Router::new();
    for endpoint in endpoints {
        let declaration = Arc::new(endpoint.declaration);
        for route in endpoint.routes {
            let admission = Admission {
                gate: gate.clone(),
                declaration: Arc::clone(&declaration),
                meter: metrics::of_route(&route.method, &prefix::documented(&route.path)),
            };
            let guarded = from_fn_with_state(admission, admission::admit);
            router = router.route(&route.path, route.router.route_layer(guarded));
        }
    }
    router
}

/// Callers with one of `kinds`, whose keys carry `permission`; JWTs are those of any member.
pub fn callers(kinds: &[CredentialKind], permission: Option<Permission>) -> AccessRule {
    let role = if kinds.contains(&CredentialKind::Jwt) {
        Role::Member
    } else {
        Role::Unspecified
    };
    AccessRule::credential(kinds, permission, role)
}

/// Community keys and user keys with `permission`.
pub fn bearer_keys(permission: Permission) -> AccessRule {
    callers(guildhall_auth::guard::BEARER_KEYS, Some(permission))
}

fn routes((schemas, paths, router): UtoipaMethodRouter<Services>) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, item) in paths.paths {
        for (method, operation) in operations(item) {
            routes.push(Route {
                path: path.clone(),
                method,
                operation,
                schemas: schemas.clone(),
                router: router.clone(),
            });
        }
    }
    routes
}

/// The operations of a path with their methods; `routes!` makes only these.
fn operations(item: PathItem) -> impl Iterator<Item = (Method, Operation)> {
    [
        (Method::GET, item.get),
        (Method::PUT, item.put),
        (Method::POST, item.post),
        (Method::PATCH, item.patch),
        (Method::DELETE, item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

impl Route {
    fn at(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: self.method.clone(),
            operation: self.operation.clone(),
            schemas: Vec::new(),
            router: self.router.clone(),
        }
    }

    /// The method as OpenAPI knows it.
    pub fn http_method(&self) -> HttpMethod {
        match self.method {
            Method::PUT => HttpMethod::Put,
            Method::POST => HttpMethod::Post,
            Method::PATCH => HttpMethod::Patch,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        }
    }
}
