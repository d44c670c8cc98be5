//! When an e-mail is due again.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// How patient a mailer is.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How long after its first, second, … failure an e-mail is tried again, give or take a fifth.
    /// After the last one it is given up.
    pub retries: Vec<Duration>,
    /// How often the table is looked at when nobody says that an e-mail was queued.
    pub poll: Duration,
    /// How long one attempt may take.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            retries: vec![MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR],
            poll: Duration::from_secs(5),
            patience: Duration::from_secs(30),
        }
    }
}

impl Pace {
    /// How long a claim on an e-mail holds. Far longer than an attempt: an e-mail whose mailer is slow
    /// to note its end must not be sent by another one.
    pub(crate) fn lease(&self) -> Duration {
        self.patience * 4
    }

    /// How long to wait after attempt number `attempt` (from 1) failed; none after the last one.
    pub(crate) fn pause(&self, attempt: i32) -> Option<Duration> {
        let failures = usize::try_from(attempt).unwrap_or(0).max(1);
        self.retries.get(failures - 1).map(|delay| spread(*delay))
    }
}

/// Give or take a fifth, so that the e-mails of an outage do not come back all at once.
fn spread(delay: Duration) -> Duration {
    let mut chance = [0; 1];
    // Without randomness they are only less spread.
    let _ = aws_lc_rs::rand::fill(&mut chance);
    delay.mul_f64(0.8 + 0.4 * f64::from(chance[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_tried_six_times_in_about_nine_hours() {
        let pace = Pace::default();
        let minutes = [1, 5, 30, 120, 360];
        for (attempt, minutes) in (1..).zip(minutes) {
            for _ in 0..100 {
                let seconds = pace.pause(attempt).unwrap().as_secs_f64() / 60.0;
                let range = f64::from(minutes) * 0.8..=f64::from(minutes) * 1.2;
                assert!(range.contains(&seconds), "{attempt}: {seconds}");
            }
        }
        assert_eq!(pace.pause(6), None);
        assert_eq!(pace.pause(7), None);
    }
}
