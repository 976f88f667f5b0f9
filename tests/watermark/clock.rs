//! The clock of the schedule that this thread runs. The world moves it forward.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

thread_local!(static TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) });

/// The time that the processors see.
pub(crate) fn now() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START + time()
}

pub(crate) fn time() -> Duration {
    TIME.get()
}

pub(crate) fn advance(seconds: usize) {
    TIME.set(TIME.get() + Duration::from_secs(seconds as u64));
}
