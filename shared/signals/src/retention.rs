//! How long events are kept after everybody has them.

use std::{fmt, str::FromStr, time::Duration};

use guildhall_runtime::{Error, Reason};

const HOUR: u64 = 3600;
/// A month: the outbox and the streams stay on disks that somebody can afford.
const MOST: u64 = 31 * 24;

/// How long events stay in the outbox and in the streams, 1 to 744 hours: a stream that was made
/// anew gets as much again. The same in all processes of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention(Duration);

impl Retention {
    /// How long an event stays.
    #[must_use]
    pub fn of_events(self) -> Duration {
        self.0
    }

    /// How long it is remembered that an event was handled: a stream that is filled again brings
    /// what the outbox still has.
    #[must_use]
    pub fn of_memory(self) -> Duration {
        self.0 * 2
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self(Duration::from_secs(24 * HOUR))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs() / HOUR)
    }
}

impl FromStr for Retention {
    type Err = Error;

    fn from_str(hours: &str) -> Result<Self, Error> {
        match hours.parse() {
            Ok(hours @ 1..=MOST) => Ok(Self(Duration::from_secs(hours * HOUR))),
            Ok(_) | Err(_) => Err(Error::new(Reason::InvalidValue, "1 to 744 hours")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_hours_and_shown_so() {
        let default = Retention::default();
        assert_eq!(default.to_string().parse::<Retention>().unwrap(), default);
        assert_eq!(default.of_memory(), default.of_events() * 2);
        for wrong in ["0", "745", "-1", "a day", ""] {
            assert!(wrong.parse::<Retention>().is_err(), "{wrong}");
        }
    }
}
