//! The checks of constants that are the values of options.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;

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
