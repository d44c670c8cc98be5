//! A file per use case or closely related group: what it checks, and what it writes in one
//! transaction.

pub(crate) mod api_keys;
pub(crate) mod credentials;
pub(crate) mod login;
pub(crate) mod operator;
pub(crate) mod signing_keys;
pub(crate) mod user_directory;
