//! What a table found wrong: all of it, not only its first case.

use std::fmt::Display;

/// Differences between what was answered and what the contract says.
#[derive(Debug, Default)]
pub struct Differences(Vec<String>);

impl Differences {
    /// Notes a case when it went wrong.
    pub fn note(&mut self, case: impl Display, outcome: Result<(), String>) {
        if let Err(difference) = outcome {
            self.0.push(format!("{case}: {difference}"));
        }
    }

    /// Notes a case when `right` is false.
    pub fn expect(&mut self, right: bool, case: impl Display, found: impl Display) {
        self.note(
            case,
            if right {
                Ok(())
            } else {
                Err(found.to_string())
            },
        );
    }

    /// Fails the test with all that was noted.
    #[track_caller]
    pub fn assert_none(self) {
        let count = self.0.len();
        assert!(count == 0, "{count} differences:\n{}", self.0.join("\n"));
    }
}
