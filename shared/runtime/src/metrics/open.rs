//! What is there until it is dropped.

use super::Gauge;

/// Something that a gauge counts as long as it is there.
#[derive(Debug)]
pub struct Open(Gauge);

impl Open {
    /// Counts one more.
    #[must_use]
    pub fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
