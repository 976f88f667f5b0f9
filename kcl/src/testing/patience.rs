//! How many efforts without a success show that a handler goes on without end.

/// The failed attempts since the last success, and the useless checkpoints of one call. Each bound is far above the needs of a processor
/// that gets somewhere in the end.
const FAILURES: usize = 10_000;
/// The writes to sinks and the calls of `pass` in one call.
const WRITES: usize = 100_000;
/// The polls, since the last success, of a process that has a message, or that ends: more than one for each second of a day.
const POLLS: usize = 100_000;
/// The efforts that each delivered record adds to a bound. A handler may have all records at once.
const EACH: usize = 100;

/// The efforts of a process since its last success: a message came or was acknowledged, a record was done, or the lease moved.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// The number of records that were delivered.
    records: usize,
    failures: usize,
    polls: usize,
    /// The checkpoints of this call that were refused, or did not move the lease.
    useless: usize,
    /// The writes and the calls of `pass` in this call.
    writes: usize,
    /// The reason for which it is over.
    pub(crate) problem: Option<String>,
}

impl Patience {
    /// Notes a success. `records` were delivered so far.
    pub(crate) fn renew(&mut self, records: usize) {
        *self = Self { records, problem: self.problem.take(), ..Self::default() };
    }

    /// Notes that a call is over. Returns whether it failed once too often.
    pub(crate) fn end_call(&mut self, failed: bool) -> bool {
        (self.useless, self.writes) = (0, 0);
        self.failures += usize::from(failed);
        self.exceeds(self.failures, FAILURES, "failed attempts since a record was last done")
    }

    /// Notes a checkpoint that did not move the lease. Returns whether that was one too many.
    pub(crate) fn checkpoint(&mut self) -> bool {
        self.useless += 1;
        self.exceeds(self.useless, FAILURES, "checkpoints in one call that did not move forward")
    }

    /// Notes a write to a sink, or that a handler lets time pass.
    pub(crate) fn act(&mut self) -> bool {
        self.writes += 1;
        self.exceeds(self.writes, WRITES, "writes to sinks and calls of `pass` in one call")
    }

    /// Notes that a process was polled and waits again.
    pub(crate) fn poll(&mut self) -> bool {
        self.polls += 1;
        self.exceeds(self.polls, POLLS, "polls since a record was last done")
    }

    fn exceeds(&mut self, efforts: usize, bound: usize, what: &str) -> bool {
        let exceeds = efforts > bound + EACH * self.records;
        if exceeds {
            self.problem = Some(format!("goes on without end: {efforts} {what}"));
        }
        exceeds
    }
}
