//! Shows the user how much was put so far.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::report::{self, StatusLine};

/// Counts of what was acknowledged, and of the calls and retries that it took.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Records that were acknowledged.
    pub(crate) records: u64,
    /// The bytes of their data and keys.
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
    /// How many times a record was not acknowledged and had to be retried.
    pub(crate) again: u64,
    /// The same, by reason.
    #[serde(rename = "againBecause")]
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    pub(crate) shards: BTreeMap<String, u64>,
}

/// Shows the counts.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    line: StatusLine,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { started: Instant::now(), line: StatusLine::new(quiet) }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows the counts if it is time to.
    pub(crate) fn show(&mut self, counts: &Counts, waiting: usize, why: Option<&str>) {
        let waiting = match waiting {
            0 => String::new(),
            waiting => {
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                format!("; {} waiting to be retried{why}", report::count(waiting as u64, "record"))
            }
        };
        let elapsed = self.elapsed();
        self.line.show(|| format!("{}{waiting}", counts.sentence(elapsed)));
    }

    /// Clears the line, so that other lines can be printed.
    pub(crate) fn clear(&mut self) {
        self.line.clear();
    }
}

impl Counts {
    /// A phrase about retries, empty if there were none.
    pub(crate) fn trouble(&self) -> String {
        let times = match self.again {
            0 => return String::new(),
            1 => "once".to_owned(),
            again => format!("{again} times"),
        };
        let reasons: Vec<_> = match self.reasons.len() {
            1 => self.reasons.keys().map(|why| (*why).to_owned()).collect(),
            _ => self.reasons.iter().map(|(why, times)| format!("{why} {times}")).collect(),
        };
        format!("; records had to be retried {times} ({})", reasons.join(", "))
    }

    /// A sentence about the records that were put in this time.
    pub(crate) fn sentence(&self, time: Duration) -> String {
        report::records_put(self.records, self.bytes, time)
    }
}
