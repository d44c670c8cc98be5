//! Entities and queries, a file per aggregate; every query takes the community, but the few that
//! cannot know it.

pub(crate) mod api_keys;
pub(crate) mod communities;
pub(crate) mod login_attempts;
pub(crate) mod signing_keys;
pub(crate) mod users;
