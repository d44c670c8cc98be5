//! The public REST contract, translated into calls of the services.
//!
//! The gateway holds no state and no rule of a domain. A request goes through these, in order:
//!
//! * `service`: its id, and whatever panics; `browsers` of other origins
//! * `prefix`: the one rewrite rule, before routing
//! * `router`: the route; `endpoint` is all that it declares beside its row of the `contract`, and
//!   `surface` lists them all
//! * `admission`: rate limit, `credential`, permission, then `body` size and media type; a refused
//!   credential gets a `challenge`
//! * `extract`: path, query and body, parsed into types; `bounded`: integers with their bounds
//! * `rest` and `compat`: the handlers: validate, one `call` of a service, map
//! * `listing`: lists of a wanted length; `public_url`: where clients reach us
//! * `envelope`: the form of the answer, also when it is a `failure`
//!
//! `metrics` counts the requests and `trace` names them. `openapi` is made of the same endpoints: of the
//! `signature` of their handlers and the examples (`document`) that are made of a `sample`; `docs` shows it.

mod admission;
mod body;
mod bounded;
mod browsers;
mod call;
mod challenge;
mod client_address;
mod compat;
mod contract;
mod credential;
mod docs;
mod document;
mod endpoint;
mod envelope;
mod extract;
mod failure;
mod listing;
mod metrics;
mod moment;
mod openapi;
mod prefix;
mod public_url;
mod rest;
mod router;
mod sample;
mod schema;
mod service;
mod signature;
mod surface;
mod trace;
mod upstream;

pub use browsers::Origin;
pub use client_address::Cidr;
pub use endpoint::EndpointInfo;
pub use envelope::Family;
pub use public_url::PublicUrl;
pub use service::{Gateway, Settings, service};
pub use surface::{infos as endpoints, openapi_json};
