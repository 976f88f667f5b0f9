//! Handlers that go on without end: after how many efforts without a success a process is taken for one.

/// The failed attempts and the checkpoints in vain. Each bound is far above the needs of a processor that gets somewhere in the end.
const FAILURES: usize = 10_000;
/// The writes to sinks and the passes of time.
const DEEDS: usize = 100_000;
/// The polls of a process that has a message, or that ends: more than one for each second of a day.
const POLLS: usize = 100_000;
/// What each record adds to a bound: a handler may have all of them.
const EACH: usize = 100;

/// The efforts of a process since its last success: a message came or was acknowledged, a record was done, or the lease moved.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// The number of records that were delivered.
    records: usize,
    failures: usize,
    deeds: usize,
    polls: usize,
    /// The reason for which it is over.
    pub(crate) problem: Option<String>,
}

impl Patience {
    /// Notes a success. `records` were delivered so far.
    pub(crate) fn renew(&mut self, records: usize) {
        *self = Self { records, problem: self.problem.take(), ..Self::default() };
    }

    /// Notes an attempt that failed, or a checkpoint that did not move the lease. Returns whether that was one too many.
    pub(crate) fn fail(&mut self) -> bool {
        self.failures += 1;
        self.exceeds(self.failures, FAILURES, "failed attempts and checkpoints in vain")
    }

    /// Notes a write to a sink, or that a handler lets time pass.
    pub(crate) fn act(&mut self) -> bool {
        self.deeds += 1;
        self.exceeds(self.deeds, DEEDS, "writes to sinks and passes of time")
    }

    /// Notes that a process was polled and waits again.
    pub(crate) fn poll(&mut self) -> bool {
        self.polls += 1;
        self.exceeds(self.polls, POLLS, "polls")
    }

    fn exceeds(&mut self, efforts: usize, bound: usize, what: &str) -> bool {
        let exceeds = efforts > bound + EACH * self.records;
        if exceeds {
            self.problem = Some(format!("goes on without end: {efforts} {what} since a record was last done"));
        }
        exceeds
    }
}
