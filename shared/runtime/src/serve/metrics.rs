//! What listeners count.

use std::sync::LazyLock;

use crate::metrics::{self, Counter, Counters, Gauges};

/// Open connections by listener.
pub(super) static OPEN: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_connections_open",
        "Connections from outside by listener",
    )
});

static CUT_OFF: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_connections_cut_off",
        "Connections and answers that were ended for what their client did, by reason",
    )
});

/// Why a connection or an answer is ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// Its client did not show in time what it speaks.
    Silent,
    /// Its client takes nothing of the answer.
    Stalled,
    /// Its client sends too many frames that carry nothing.
    ControlFrames,
    /// There are as many connections as there may be.
    TooMany,
}

impl Reason {
    const ALL: [Self; 4] = [
        Self::Silent,
        Self::Stalled,
        Self::ControlFrames,
        Self::TooMany,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::ControlFrames => "control_frames",
            Self::TooMany => "too_many",
        }
    }
}

/// Shows every reason, also those that have not occurred.
pub(super) fn prepare() {
    for reason in Reason::ALL {
        let _ = cut_off_for(reason);
    }
}

/// Counts a connection or an answer that is ended.
pub(super) fn cut_off(reason: Reason) {
    cut_off_for(reason).inc();
}

fn cut_off_for(reason: Reason) -> Counter {
    CUT_OFF.get_or_create_owned(&vec![("reason", reason.label().to_owned())])
}
