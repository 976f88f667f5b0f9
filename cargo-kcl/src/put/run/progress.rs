//! Shows the user how much was put so far.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::report;

const TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(5);

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
    pub(crate) shards: BTreeMap<String, u64>,
}

/// Shows the counts: on a terminal in a line that is overwritten, elsewhere in a new line every few seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    started: Instant,
    shown: Instant,
    /// Whether the terminal shows a line to overwrite.
    shows_line: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Self { quiet, terminal: io::stderr().is_terminal(), started: now, shown: now, shows_line: false }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows the counts if it is time to.
    pub(crate) fn show(&mut self, counts: &Counts, waiting: usize) {
        let every = if self.terminal { TERMINAL } else { ELSEWHERE };
        if self.quiet || self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let waiting = match waiting {
            0 => String::new(),
            waiting => format!("; {} waiting to be retried", report::count(waiting as u64, "record")),
        };
        let text = format!("{}{waiting}", counts.sentence(self.elapsed()));
        if self.terminal {
            report::raw(&format!("\r\x1b[K  {text}"));
            self.shows_line = true;
        } else {
            report::line(text);
        }
    }

    /// Clears the line, so that other lines can be printed.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shows_line) {
            report::raw("\r\x1b[K");
        }
    }
}

impl Counts {
    /// A phrase about retries, empty if there were none.
    pub(crate) fn trouble(&self) -> String {
        match self.again {
            0 => String::new(),
            1 => "; records had to be retried once".to_owned(),
            again => format!("; records had to be retried {again} times"),
        }
    }

    /// `5 records (60 B) put in 0.1 s: 50 records/s, 600 B/s`.
    pub(crate) fn sentence(&self, time: Duration) -> String {
        let seconds = time.as_secs_f64().max(1e-3);
        let rate = |count: u64| (count as f64 / seconds).round() as u64;
        format!(
            "{} ({}) put in {}: {}/s, {}/s",
            report::count(self.records, "record"),
            report::bytes(self.bytes),
            report::elapsed(time),
            report::count(rate(self.records), "record"),
            report::bytes(rate(self.bytes)),
        )
    }
}
