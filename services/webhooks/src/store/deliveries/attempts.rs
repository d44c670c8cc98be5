//! What became of the attempts of a delivery. The last one is in the columns of its row; those before
//! it are in one column, which most deliveries never need.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

use super::Model;

/// Attempts before the last one that are kept at most.
const KEPT: usize = 20;
/// How much of an answer is kept, in characters.
pub const MAX_ANSWER: usize = 1000;

/// A JSON array of attempts, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct EarlierAttempts(pub Vec<Attempt>);

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: i32,
    /// When it began, in milliseconds.
    pub at: Option<i64>,
    /// Status of the answer; none when there was none.
    pub status: Option<i32>,
    /// The beginning of the answer.
    pub answer: String,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

impl Model {
    /// The last attempt, if there was one.
    #[must_use]
    pub fn last_attempt(&self) -> Option<Attempt> {
        (self.attempts > 0).then(|| Attempt {
            number: self.attempts,
            at: self.attempted_at,
            status: self.response_status,
            answer: answer_text(self.response_body.as_deref().unwrap_or_default()),
            error: self.attempt_error.clone().or_else(|| self.error.clone()),
            duration_ms: self.duration_ms.unwrap_or_default(),
        })
    }

    /// All attempts that are kept, the oldest first.
    #[must_use]
    pub fn all_attempts(&self) -> Vec<Attempt> {
        let earlier = self.earlier_attempts.clone().unwrap_or_default();
        earlier.0.into_iter().chain(self.last_attempt()).collect()
    }

    /// What is kept of the attempts so far once there is another one; none when there were none.
    #[must_use]
    pub fn attempts_before_next(&self) -> Option<EarlierAttempts> {
        let mut all = self.all_attempts();
        all.drain(..all.len().saturating_sub(KEPT));
        (!all.is_empty()).then_some(EarlierAttempts(all))
    }
}

/// The beginning of an answer as text, whatever it is.
#[must_use]
pub fn answer_text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer)
        .chars()
        .take(MAX_ANSWER)
        .collect()
}

#[cfg(test)]
mod tests {
    use guildhall_data::{CommunityId, WebhookId};
    use guildhall_runtime::Timestamp;
    use sea_orm::TryIntoModel;

    use super::*;
    use crate::{domain::EventKind, store::deliveries::NewDelivery};

    fn queued() -> Model {
        let new = NewDelivery {
            community: CommunityId::generate(),
            webhook: WebhookId::generate(),
            kind: EventKind::MessagePosted,
            event_id: String::new(),
            event_time: Timestamp::now(),
            body: "{}".into(),
        };
        new.into_row(Timestamp::now()).try_into_model().unwrap()
    }

    #[test]
    fn the_newest_attempts_are_kept_in_their_order() {
        let mut delivery = queued();
        assert_eq!(delivery.attempts_before_next(), None);
        for number in 1..=30 {
            delivery.earlier_attempts = delivery.attempts_before_next();
            delivery.attempts = number;
            delivery.attempted_at = Some(i64::from(number));
        }
        let kept = delivery.all_attempts();
        let numbers: Vec<_> = kept.iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, (10..=30).collect::<Vec<_>>());
        assert!(kept.iter().all(|it| it.at == Some(i64::from(it.number))));
    }

    #[test]
    fn why_the_last_attempt_failed_outlives_why_there_is_no_other() {
        let mut delivery = queued();
        delivery.attempts = 1;
        delivery.error = Some("status 500".into());
        let error = |delivery: &Model| delivery.last_attempt().unwrap().error.unwrap();
        assert_eq!(error(&delivery), "status 500");
        delivery.attempt_error = delivery.error.replace("the webhook is disabled".into());
        assert_eq!(error(&delivery), "status 500");
    }

    #[test]
    fn an_answer_is_text_of_at_most_a_thousand_characters() {
        assert_eq!(answer_text("é".repeat(2000).as_bytes()), "é".repeat(1000));
        assert_eq!(answer_text(b"\xff\0ok"), "\u{fffd}\0ok");
    }
}
