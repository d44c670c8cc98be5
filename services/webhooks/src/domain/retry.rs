//! What follows an attempt (contract: events, "DECISION: retries").

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;

/// Delays after the first attempt that failed, after the second, and so on.
const DELAYS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
];
/// A receiver delays the next attempt by this much at most.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Delays vary by a fifth either way, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// When a delivery is attempted again.
#[derive(Debug, Clone)]
pub struct RetrySchedule {
    delays: Vec<Duration>,
}

impl Default for RetrySchedule {
    /// 7 attempts in about 17.6 hours.
    fn default() -> Self {
        Self {
            delays: DELAYS.to_vec(),
        }
    }
}

impl RetrySchedule {
    /// A schedule with these delays, an attempt more than there are of them.
    #[must_use]
    pub fn new(delays: Vec<Duration>) -> Self {
        Self { delays }
    }

    /// The delay after so many attempts, all of which failed; none when the last was made.
    #[must_use]
    pub fn delay(&self, attempts: i32, retry_after: Option<Duration>) -> Option<Duration> {
        let made = usize::try_from(attempts).unwrap_or(0);
        let delay = self.delays.get(made.saturating_sub(1))?;
        let delay = delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * fraction());
        let asked_for = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        Some(delay.max(asked_for))
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness nothing varies.
    let _ = rand::fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

/// What the answer to an attempt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Delivered,
    /// 410: never again, and nothing else to this receiver.
    Gone,
    /// Anything else; perhaps with the time that the receiver asks for.
    Failed(Option<Duration>),
    /// It was never sent, and never can be as it is stored.
    Unsendable,
}

impl Verdict {
    /// What a status means, with the header `Retry-After` of the answer.
    #[must_use]
    pub fn of(status: u16, retry_after: Option<&str>, now: SystemTime) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            429 | 503 => Self::Failed(retry_after.and_then(|text| parse(text, now))),
            _ => Self::Failed(None),
        }
    }
}

/// Reads a `Retry-After`: seconds or a date.
fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is cut to the limit like all that is too long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempt_is_followed_by_six_in_about_17_hours() {
        let schedule = RetrySchedule::default();
        for (attempts, delay) in (1..).zip(DELAYS) {
            for _ in 0..100 {
                let chosen = schedule.delay(attempts, None).unwrap();
                let around = delay.mul_f64(0.8)..=delay.mul_f64(1.2);
                assert!(around.contains(&chosen), "{attempts}: {chosen:?}");
            }
        }
        for attempts in [7, 8, i32::MAX] {
            assert_eq!(schedule.delay(attempts, None), None);
        }
    }

    #[test]
    fn a_receiver_may_ask_for_an_hour_at_most() {
        let schedule = RetrySchedule::default();
        let minute = Duration::from_secs(60);
        assert_eq!(schedule.delay(1, Some(minute)), Some(minute));
        let long = schedule.delay(1, Some(24 * MAX_RETRY_AFTER));
        assert_eq!(long, Some(MAX_RETRY_AFTER));
        let later_anyway = schedule.delay(4, Some(minute)).unwrap();
        assert!(later_anyway > minute);
    }

    #[test]
    fn an_answer_is_judged_by_its_status() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let (in_a_minute, half_a_minute) = (
            Some("Sun, 06 Nov 1994 08:50:37 GMT"),
            Duration::from_secs(30),
        );
        for (status, retry_after, verdict) in [
            (200, None, Verdict::Delivered),
            (204, Some("30"), Verdict::Delivered),
            (301, None, Verdict::Failed(None)),
            (404, Some("30"), Verdict::Failed(None)),
            (410, Some("30"), Verdict::Gone),
            (429, Some("30"), Verdict::Failed(Some(half_a_minute))),
            (503, in_a_minute, Verdict::Failed(Some(2 * half_a_minute))),
            (503, Some("soon"), Verdict::Failed(None)),
        ] {
            assert_eq!(Verdict::of(status, retry_after, now), verdict, "{status}");
        }
    }
}
