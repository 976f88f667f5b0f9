//! What was put so far, for those who look on.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::report;

const TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// What was acknowledged, and what it took.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Records that were acknowledged.
    pub(crate) records: u64,
    /// Their data and keys.
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
    /// How often a record was not acknowledged, and was to be put again.
    pub(crate) again: u64,
    pub(crate) shards: BTreeMap<String, u64>,
}

/// Shows them: on a terminal a line that changes, elsewhere one every now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    started: Instant,
    shown: Instant,
    /// Whether a line stands there that is to be written over.
    stands: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Self { quiet, terminal: io::stderr().is_terminal(), started: now, shown: now, stands: false }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows them if it is time to.
    pub(crate) fn show(&mut self, counts: &Counts, waiting: usize) {
        let every = if self.terminal { TERMINAL } else { ELSEWHERE };
        if self.quiet || self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let waiting = match waiting {
            0 => String::new(),
            waiting => format!("; {} to be put again", report::count(waiting as u64, "record")),
        };
        let text = format!("{}{waiting}", counts.sentence(self.elapsed()));
        if self.terminal {
            report::raw(&format!("\r\x1b[K  {text}"));
            self.stands = true;
        } else {
            report::line(text);
        }
    }

    /// Makes room for other lines.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.stands) {
            report::raw("\r\x1b[K");
        }
    }
}

impl Counts {
    /// What did not go by itself.
    pub(crate) fn trouble(&self) -> String {
        match self.again {
            0 => String::new(),
            1 => "; once a record was to be put again".to_owned(),
            again => format!("; {again} times a record was to be put again"),
        }
    }

    /// `5 records (60 B) put in 0.1 s: 50 records/s, 600 B/s`.
    pub(crate) fn sentence(&self, time: Duration) -> String {
        let seconds = time.as_secs_f64().max(1e-3);
        let rate = |count: u64| (count as f64 / seconds).round() as u64;
        format!(
            "{} ({}) put in {:.1} s: {}/s, {}/s",
            report::count(self.records, "record"),
            report::bytes(self.bytes),
            time.as_secs_f64(),
            report::count(rate(self.records), "record"),
            report::bytes(rate(self.bytes)),
        )
    }
}
