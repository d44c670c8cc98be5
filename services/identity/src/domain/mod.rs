//! Rules that need no I/O.
//!
//! * [`text`]: what a line of text may hold
//! * [`account`]: what names a user who logs in
//! * [`profile`]: what is known of a new user
//! * [`password`]: which passwords are taken, and new ones
//! * [`slug`]: a community's name in addresses
//! * [`reference`]: the ways to mean a user
//! * [`key_text`]: the text of a key, its digest and its mask
//! * [`key_spec`]: what a new key may be

pub(crate) mod account;
pub(crate) mod key_spec;
pub(crate) mod key_text;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod reference;
pub(crate) mod slug;
pub(crate) mod text;
