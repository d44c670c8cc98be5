//! Credentials, the caller behind them, and the access layer that lets them in.
//!
//! The same [`Guard`] runs in the gateway, against what a route declares, and in front of each
//! service, against what the RPC declares: a REST caller and a gRPC caller have the same rights.
//!
//! * [`credential`]: what a caller presents
//! * [`permission`]: what a key may do
//! * [`caller`]: who they turn out to be
//! * [`request`]: what a handler asks of a request
//! * [`rule`]: who is let in, read from the protos' `access` option
//! * [`source`]: where credentials are looked up, and [`jwt`] checked
//! * [`guard`]: rate limit, credential, permission: in this order
//! * `signing_keys`: the keys that they are checked with
//! * [`layer`]: the guard in front of a gRPC service
//! * [`bodies`]: the memory for bodies of requests
//! * [`client_address`]: where a call comes from
//! * `stream`: streams that end with their credential; `streams`: how many there may be
//! * [`peer`]: the tokens by which services know each other
//! * `metrics`: who was not let in

pub mod bodies;
pub mod caller;
pub mod client_address;
pub mod credential;
pub mod guard;
pub mod jwt;
pub mod layer;
mod metrics;
pub mod peer;
pub mod permission;
pub mod rate;
pub mod request;
pub mod rule;
mod signing_keys;
pub mod source;
mod stream;
mod streams;

pub use caller::{Authority, Caller, ChannelLimit};
pub use client_address::ClientAddress;
pub use credential::{Credential, CredentialDigest};
pub use guard::Guard;
pub use guildhall_proto::access::v1::{CredentialKind, Permission, Role};
pub use layer::AccessLayer;
pub use peer::PeerTokens;
pub use permission::Permissions;
pub use rate::{Quota, Rate, RateLimit, Unit};
pub use request::CallerExt;
pub use rule::{AccessRule, RpcTable};
