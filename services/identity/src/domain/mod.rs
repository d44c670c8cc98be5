//! Rules without I/O.
//!
//! * [`bot`]: the bot of a community
//! * [`key`]: the keys by which names are found
//! * [`account`]: how a user who logs in is named
//! * [`login_limit`]: how many attempts to log in are let through
//! * [`profile`]: the names of a new user
//! * [`user`]: roles, and whether a user takes part
//! * [`password`]: which passwords are accepted, and new ones
//! * [`slug`]: a community's name in addresses
//! * [`reference`]: the ways to refer to a user
//! * [`key_kind`]: the kinds of keys
//! * [`key_text`]: the text of a key, its digest and its mask
//! * [`key_spec`]: the settings of a new key

pub(crate) mod account;
pub(crate) mod bot;
pub(crate) mod key;
pub(crate) mod key_kind;
pub(crate) mod key_spec;
pub(crate) mod key_text;
pub(crate) mod login_limit;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod reference;
pub(crate) mod slug;
pub(crate) mod user;

pub(crate) use key_kind::KeyKind;
