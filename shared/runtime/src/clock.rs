//! The one clock: milliseconds since 1970, UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// A moment, to the millisecond. Stored as an integer, shown as ISO-8601 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The latest moment that a date of four-digit years can show.
const LATEST_MILLIS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(LATEST_MILLIS))
    }

    /// From milliseconds since 1970; clamped to the years 1970 to 9999.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LATEST_MILLIS))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0 / 1000
    }

    /// This moment, `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self::from_millis(
            self.0
                .saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment, `before` earlier.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self::from_millis(
            self.0
                .saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// `2026-01-02T03:04:05.678Z`
    #[must_use]
    pub fn to_iso(self) -> String {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(&format).ok())
            .unwrap_or_default()
    }

    /// Reads an ISO-8601 moment as clients write it: with an offset (`Z`, `+01:00`, `+0100`, `+01`) or in
    /// UTC without one, with a fraction of any length or none, and with a blank where a `+` of a query
    /// became one; or a plain `YYYY-MM-DD` (midnight UTC).
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let (date, time) = match text.split_at_checked(DATE)? {
            (date, "") => (date, "00:00:00"),
            (date, rest) => (date, rest.strip_prefix(['T', 't', ' '])?),
        };
        let split = time.find(['Z', 'z', '+', '-', ' ']).unwrap_or(time.len());
        let (clock, offset) = time.split_at(split);
        // Seconds may be left out, and a fraction longer than nanoseconds says nothing to us.
        let clock = match clock.split_once('.') {
            Some((clock, fraction)) => format!("{clock}.{fraction:.9}"),
            None if clock.len() == MINUTES => format!("{clock}:00"),
            None => clock.to_owned(),
        };
        let rfc3339 = format!("{date}T{clock}{}", offset_of(offset)?);
        let moment = OffsetDateTime::parse(&rfc3339, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000))
            .ok()
            .map(Self::from_millis)
    }
}

/// The length of `YYYY-MM-DD`.
const DATE: usize = 10;
/// The length of `HH:MM`.
const MINUTES: usize = 5;

/// An offset as RFC 3339 writes it.
fn offset_of(text: &str) -> Option<String> {
    if matches!(text, "" | "Z" | "z") {
        return Some("Z".to_owned());
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = if sign == " " { "+" } else { sign };
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    Some(format!("{sign}{hours}:{minutes}"))
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(timestamp: Timestamp) -> Self {
        Self {
            seconds: timestamp.0.div_euclid(1000),
            nanos: i32::try_from(timestamp.0.rem_euclid(1000) * 1_000_000).unwrap_or(0),
        }
    }
}

impl From<&prost_types::Timestamp> for Timestamp {
    fn from(timestamp: &prost_types::Timestamp) -> Self {
        let millis = i64::from(timestamp.nanos) / 1_000_000;
        Self::from_millis(
            timestamp
                .seconds
                .saturating_mul(1000)
                .saturating_add(millis),
        )
    }
}

impl From<prost_types::Timestamp> for Timestamp {
    fn from(timestamp: prost_types::Timestamp) -> Self {
        Self::from(&timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_keeps_the_millisecond() {
        let moment = Timestamp::from_millis(1_767_323_045_678);
        assert_eq!(moment.to_iso(), "2026-01-02T03:04:05.678Z");
        assert_eq!(
            Timestamp::parse_iso("2026-01-02T03:04:05.678Z"),
            Some(moment)
        );
        assert_eq!(
            Timestamp::parse_iso("2026-01-02T04:04:05.678+01:00"),
            Some(moment)
        );
        assert_eq!(
            Timestamp::from(prost_types::Timestamp::from(moment)),
            moment
        );
    }

    #[test]
    fn a_plain_date_is_midnight() {
        assert_eq!(
            Timestamp::parse_iso("2026-01-02")
                .map(Timestamp::to_iso)
                .as_deref(),
            Some("2026-01-02T00:00:00.000Z")
        );
        assert_eq!(Timestamp::parse_iso("yesterday"), None);
    }

    #[test]
    fn a_moment_is_read_as_clients_write_it() {
        for text in [
            "2026-01-02T03:04:05.678901+00:00",
            "2026-01-02T03:04:05.678901+0000",
            "2026-01-02T03:04:05.678901 0000",
            "2026-01-02T03:04:05.678901 00:00",
            "2026-01-02T03:04:05.678901+00",
            "2026-01-02T03:04:05.678901234Z",
            "2026-01-02T03:04:05.6789012345678Z",
            "2026-01-02T03:04:05.678",
            "2026-01-02 03:04:05.678",
            "2026-01-02t03:04:05.678z",
            "2026-01-02T04:34:05.678+0130",
            "2026-01-01T22:04:05.678-05",
        ] {
            let iso = Timestamp::parse_iso(text).map(Timestamp::to_iso);
            assert_eq!(iso.as_deref(), Some("2026-01-02T03:04:05.678Z"), "{text}");
        }
        for text in [
            "2026-01-02T03:04",
            "2026-01-02T03:04Z",
            "2026-01-02 03:04 0000",
        ] {
            let iso = Timestamp::parse_iso(text).map(Timestamp::to_iso);
            assert_eq!(iso.as_deref(), Some("2026-01-02T03:04:00.000Z"), "{text}");
        }
        for text in [
            "",
            "2026-01-02T",
            "2026-01-02T03:04:05.",
            "2026-01-02T03:04:05+",
            "2026-01-02T03:04:05+0",
            "2026-01-02T03:04:05+1:2:3",
            "2026-01-02T25:04:05",
            "2026-13-02",
            "2026-01-02T03:04:05Z tomorrow",
            "２０２６-01-02",
        ] {
            assert_eq!(Timestamp::parse_iso(text), None, "{text}");
        }
    }
}
