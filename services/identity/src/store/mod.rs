//! Entities and queries, a file per aggregate. Every query takes the community, except the few that
//! look it up.

pub(crate) mod api_keys;
pub(crate) mod communities;
pub(crate) mod login_attempts;
pub(crate) mod signing_keys;
pub(crate) mod users;
