//! One processor of a shard, as its snapshots show it; when it is stuck.

use std::time::{Duration, Instant};

use kcl::metrics::{Now, Running, Snapshot};
use rustix::process::{Pid, test_kill_process};

use crate::report;

/// The number of periods without a snapshot after which a processor is not healthy.
const SILENT_PERIODS: u32 = 3;

/// One processor of a shard, as its snapshots show it.
pub(super) struct Life {
    pub(super) snapshot: Snapshot,
    /// When the last snapshot arrived.
    pub(super) at: Instant,
    /// When the process ended.
    pub(super) ended: Option<Instant>,
    /// Whether the process was gone although it had not sent its last snapshot.
    pub(super) is_missed: bool,
}

impl Life {
    /// Whether the process is gone although it has not sent its last snapshot.
    pub(super) fn is_gone(&self) -> bool {
        !self.is_over() && !is_alive(self.snapshot.pid)
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Its present values, with ages that have grown since the last snapshot.
    pub(super) fn now(&self, now: Instant) -> Now {
        let since = millis(now.saturating_duration_since(self.at));
        let mut now = self.snapshot.now.clone();
        for age in [&mut now.oldest_unsettled_ms, &mut now.last_message_ms, &mut now.last_checkpoint_ms] {
            *age = age.map(|age| age.saturating_add(since));
        }
        // An old snapshot means that the process is not healthy, so its call has not ended.
        if since > self.snapshot.period_ms
            && let Some(running) = &mut now.running
        {
            running.ms = running.ms.saturating_add(since);
        }
        now
    }

    /// The problem of the process, if it is stuck.
    pub(super) fn problem(&self, stuck_after: Duration, now: Instant) -> Option<String> {
        if let Some(running) = self.now(now).running.filter(|running| is_long(running, stuck_after)) {
            return Some(handling(&running));
        }
        let silent = now.saturating_duration_since(self.at);
        let patience = Duration::from_millis(self.snapshot.period_ms).saturating_mul(SILENT_PERIODS).max(stuck_after);
        (silent >= patience).then(|| format!("the processor has not sent metrics for {}", report::elapsed(silent)))
    }
}

/// Whether a call has been running for at least this time.
pub(super) fn is_long(running: &Running, time: Duration) -> bool {
    u128::from(running.ms) >= time.as_millis()
}

pub(super) fn handling(running: &Running) -> String {
    let time = report::elapsed(Duration::from_millis(running.ms));
    match &running.at {
        Some(at) => format!("the processor has been handling {} {at}, for {time}", running.action),
        None => format!("the processor has been handling {} for {time}", running.action),
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}
