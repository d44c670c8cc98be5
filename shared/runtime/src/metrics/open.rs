//! A gauge of things that exist until they are dropped.

use super::Gauge;

/// One thing that a gauge counts until it is dropped.
#[derive(Debug)]
pub struct Open(Gauge);

impl Open {
    /// Adds one to the gauge.
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
