//! The checks of constants that are the values of options.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::MOST;

/// The value of an option, which a constant holds. Each check is evaluated at compile time, and the message of its panic is the
/// compiler's error.
#[derive(Clone, Copy, Debug)]
pub struct Given<T>(pub T);

impl Given<Duration> {
    /// Checks the option `every`.
    ///
    /// # Panics
    ///
    /// If the time is 0.
    #[track_caller]
    pub const fn every(self) {
        assert!(!self.0.is_zero(), "option `every` must be greater than 0");
    }

    /// Checks the option `timeout`.
    ///
    /// # Panics
    ///
    /// If the time is 0.
    #[track_caller]
    pub const fn timeout(self) {
        assert!(!self.0.is_zero(), "option `timeout` must be greater than 0");
    }

    /// Checks the option `drain`.
    ///
    /// # Panics
    ///
    /// If the time is 0.
    #[track_caller]
    pub const fn drain(self) {
        assert!(!self.0.is_zero(), "option `drain` must be greater than 0");
    }

    /// Checks the option `warn_after`.
    ///
    /// # Panics
    ///
    /// If the time is 0.
    #[track_caller]
    pub const fn warn_after(self) {
        assert!(!self.0.is_zero(), "option `warn_after` must be greater than 0");
    }
}

impl Given<u32> {
    /// Checks the option `concurrency`.
    ///
    /// # Panics
    ///
    /// If the number is 0 or too large.
    #[track_caller]
    pub const fn concurrency(self) {
        assert!(self.0 >= 1 && self.0 <= MOST, "option `concurrency` must be from 1 to 65536");
    }
}

impl Given<u64> {
    /// Checks the option `ahead_bytes`.
    ///
    /// # Panics
    ///
    /// If the size is 0.
    #[track_caller]
    pub const fn ahead_bytes(self) {
        assert!(self.0 > 0, "option `ahead_bytes` must be greater than 0");
    }
}

impl Given<usize> {
    /// Checks the option `worker_threads`.
    ///
    /// # Panics
    ///
    /// If the number is 0 or too large.
    #[track_caller]
    pub const fn worker_threads(self) {
        assert!(self.0 >= 1 && self.0 <= 1024, "option `worker_threads` must be from 1 to 1024");
    }
}

impl Given<(Duration, Duration)> {
    /// Checks the option `backoff`.
    ///
    /// # Panics
    ///
    /// If the first wait is 0, or longer than the longest.
    #[track_caller]
    pub const fn backoff(self) {
        let (first, most) = self.0;
        assert!(!first.is_zero(), "option `backoff` must start with a wait longer than 0");
        assert!(
            first.as_nanos() <= most.as_nanos(),
            "option `backoff` must not end before it starts: write the first and the longest wait"
        );
    }
}

impl Given<Checkpoints> {
    /// Checks the option `checkpoint`.
    ///
    /// # Panics
    ///
    /// If it is [`Checkpoints::Handler`], or a time or a number of 0.
    #[track_caller]
    pub const fn checkpoint(self) {
        match self.0 {
            Checkpoints::Interval(Duration::ZERO) | Checkpoints::Records(0) => {
                panic!("option `checkpoint` must be greater than 0")
            }
            Checkpoints::Handler => panic!(
                "option `checkpoint` cannot be `Checkpoints::Handler`: to decide yourself when to checkpoint, take \
                 `&mut Checkpointer` in the record handler, and remove this option"
            ),
            Checkpoints::Batch | Checkpoints::Interval(_) | Checkpoints::Records(_) => {}
        }
    }
}
