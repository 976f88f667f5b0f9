//! What a shard's processor is at, and what it has done so far, for those who look on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kcl::SequenceNumber;

use crate::local::display::summary::Times;

/// Shared by the thread that talks to the processors of a shard and those who want to know.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// The last record that was acknowledged.
    reached: Option<SequenceNumber>,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    action: &'static str,
    since: Instant,
    /// Whether it was said that it takes long.
    said: bool,
}

/// What a shard's processors have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Acknowledged or checkpointed by the processor.
    pub(crate) records: u64,
    /// Their data.
    pub(crate) bytes: u64,
    pub(crate) checkpoints: u64,
    /// How long batches took.
    pub(crate) batches: Times,
    /// With the checkpoints that were asked for meanwhile.
    pub(crate) at_processor: Duration,
    pub(crate) at_checkpoints: Duration,
    /// Waiting for records.
    pub(crate) at_input: Duration,
}

impl Pulse {
    /// The processor is sent a message.
    pub(crate) fn ask(&self, action: &'static str) {
        self.lock().asked = Some(Asked { action, since: Instant::now(), said: false });
    }

    /// The message was acknowledged, or never will be.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        if let Some(asked) = state.asked.take() {
            let time = asked.since.elapsed();
            state.counts.at_processor += time;
            if asked.action == "processRecords" {
                state.counts.batches.add(time);
            }
        }
    }

    pub(crate) fn processed(&self, records: u64, bytes: u64) {
        let counts = &mut self.lock().counts;
        counts.records += records;
        counts.bytes += bytes;
    }

    /// All up to this record was acknowledged.
    pub(crate) fn reached(&self, record: SequenceNumber) {
        self.lock().reached = Some(record);
    }

    /// Records, their bytes, and the last one that was acknowledged.
    pub(crate) fn progress(&self) -> (u64, u64, Option<SequenceNumber>) {
        let state = self.lock();
        (state.counts.records, state.counts.bytes, state.reached)
    }

    /// A checkpoint was kept, which took so long.
    pub(crate) fn checkpointed(&self, time: Duration) {
        let counts = &mut self.lock().counts;
        counts.checkpoints += 1;
        counts.at_checkpoints += time;
    }

    /// Records came, or their end, after so long.
    pub(crate) fn waited(&self, time: Duration) {
        self.lock().counts.at_input += time;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// What the processor was asked to do if it has been at it for so long, once for each message.
    pub(crate) fn stuck(&self, patience: Duration) -> Option<&'static str> {
        let mut state = self.lock();
        let asked = state.asked.as_mut().filter(|asked| !asked.said && asked.since.elapsed() >= patience)?;
        asked.said = true;
        Some(asked.action)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_noticed_once() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stuck(Duration::ZERO), None);
        pulse.ask("initialize");
        assert_eq!(pulse.stuck(Duration::from_secs(60)), None);
        assert_eq!(pulse.stuck(Duration::ZERO), Some("initialize"));
        assert_eq!(pulse.stuck(Duration::ZERO), None);
        pulse.answered();
        pulse.ask("processRecords");
        assert_eq!(pulse.stuck(Duration::ZERO), Some("processRecords"));
    }
}
