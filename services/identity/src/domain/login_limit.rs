//! How many attempts to log in are let through (contract: identity, "Rate limits").
//!
//! A right password takes its own attempt back, so what stays counted are failures. The limits of a
//! name and of an account spare addresses from which the account has logged in lately: strangers
//! cannot lock its owner out.

use std::time::Duration;

/// At most so many attempts in a window, which begins with its first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Attempts let through.
    pub(crate) attempts: i32,
    /// How long a window is.
    pub(crate) window: Duration,
}

impl Limit {
    const fn new(attempts: i32, minutes: u64) -> Self {
        let window = Duration::from_secs(minutes * 60);
        Self { attempts, window }
    }
}

/// With one name from one address: the limit of the contract.
pub(crate) const NAME_FROM_ADDRESS: Limit = Limit::new(20, 15);

/// From one address with any names, against one password tried on many accounts. An office, or the
/// backend of a community, is one address with many users, and some of them mistype.
pub(crate) const ADDRESS: Limit = Limit::new(300, 15);

/// With one name from all addresses, whether or not there is such an account.
pub(crate) const NAME: Limit = Limit::new(100, 60);

/// Against one account from all addresses: by its e-mail address and its username together. As many
/// as both names allow, so that using one of them up says nothing about the other. Windows may
/// overlap so that it is reached before; then every password is wrong, which says nothing either.
pub(crate) const ACCOUNT: Limit = Limit::new(2 * NAME.attempts, 60);

/// How long an address is spared after the account has logged in from it.
pub(crate) const FAMILIAR: Duration = Duration::from_secs(30 * 24 * 3600);
