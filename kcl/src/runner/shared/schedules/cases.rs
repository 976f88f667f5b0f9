//! The kinds of processors that follow schedules.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::{Concurrency, Order};
use crate::policy::{FailureAction, FailurePolicy};

/// A kind of processor.
pub(super) struct Kind {
    pub(super) concurrency: Concurrency,
    pub(super) policy: FailurePolicy,
    pub(super) pace: Checkpoints,
    pub(super) timeout: Option<Duration>,
    pub(super) tick: Option<Duration>,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const DRAIN: Duration = ms(25);

const fn at_once(count: u32, ahead: u32) -> Concurrency {
    Concurrency::new(count).ahead(ahead).drain(DRAIN)
}

const fn policy(retry: u32, on_failure: FailureAction, on_undecodable: FailureAction) -> FailurePolicy {
    FailurePolicy::new().retry(retry).backoff(ms(4), ms(16)).on_failure(on_failure).on_undecodable(on_undecodable)
}

use FailureAction::{DeadLetter, Fail, Skip};

const fn kind(concurrency: Concurrency, policy: FailurePolicy) -> Kind {
    Kind { concurrency, policy, pace: Checkpoints::Batch, timeout: None, tick: None }
}

pub(super) const KINDS: [Kind; 10] = [
    kind(at_once(3, 0), policy(0, Fail, Fail)),
    kind(at_once(3, 1), policy(2, Fail, Skip)),
    kind(at_once(2, 2), policy(1, Skip, Fail)),
    kind(at_once(8, 1), policy(1, DeadLetter, DeadLetter)),
    Kind { timeout: Some(ms(12)), ..kind(at_once(3, 1), policy(2, DeadLetter, Skip)) },
    kind(at_once(4, 1).order(Order::None), policy(1, Skip, DeadLetter)),
    Kind { pace: Checkpoints::Records(3), ..kind(at_once(3, 1), policy(1, Skip, Skip)) },
    Kind { pace: Checkpoints::Interval(ms(9)), ..kind(at_once(3, 3), policy(1, DeadLetter, Skip)) },
    Kind { tick: Some(ms(7)), ..kind(at_once(2, 1), policy(1, Fail, Skip)) },
    Kind { timeout: Some(ms(12)), ..kind(at_once(1, 1).ahead_bytes(20), policy(1, Skip, Skip)) },
];
