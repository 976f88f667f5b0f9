//! The reports of the driver, and the events that the processor wrote.

use std::path::Path;

use serde::Deserialize;

/// The driver's report on a scenario.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) steps: Vec<Seen>,
    /// The reason why the scenario could not be played to its end.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// Whether a processor had to be killed at the end.
    #[serde(default)]
    pub(crate) left_over: bool,
}

/// The state after a step.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Seen {
    /// The records that Amazon's class got for the processor.
    pub(crate) sent: Vec<SentRecord>,
    pub(crate) hung: bool,
    /// Whether the daemon would have ended with exit code 1.
    pub(crate) gave_up: bool,
    /// The row's checkpoint.
    pub(crate) sequence_number: Option<String>,
    pub(crate) sub_sequence_number: u64,
    /// The processor's exit code, if it ended; 128 plus the signal's number if a signal ended it.
    pub(crate) exit: Option<i32>,
    /// The number of this processor, counted from 1.
    pub(crate) life: usize,
    /// The length of `events.jsonl`.
    pub(crate) events: usize,
    /// The length of this life's `out.jsonl`.
    pub(crate) out: usize,
}

/// A record, as both sides describe it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct SentRecord {
    pub(crate) sequence: String,
    pub(crate) sub: u64,
    pub(crate) key: String,
    pub(crate) arrival: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) fnv: String,
}

impl SentRecord {
    /// Whether the two are the same record. With `lossy_keys`, the partition keys may differ.
    pub(crate) fn is(&self, other: &SentRecord, lossy_keys: bool) -> bool {
        if lossy_keys { SentRecord { key: other.key.clone(), ..self.clone() } == *other } else { self == other }
    }
}

/// An event that a processor wrote.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) event: String,
    /// A detail to add to the event's name.
    #[serde(default)]
    pub(crate) detail: Option<String>,
    #[serde(default)]
    pub(crate) pid: Option<u32>,
    #[serde(default)]
    pub(crate) record: Option<SentRecord>,
    #[serde(default)]
    pub(crate) behind: Option<u64>,
}

impl Event {
    /// The event as a scenario spells it.
    pub(crate) fn words(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} {detail}", self.event),
            None => self.event.clone(),
        }
    }
}

/// Reads a file of JSON lines between two byte offsets.
pub(crate) fn lines<T: for<'a> Deserialize<'a>>(file: &Path, from: usize, to: Option<usize>) -> Result<Vec<T>, String> {
    let Ok(bytes) = std::fs::read(file) else {
        return Ok(Vec::new());
    };
    let part = bytes.get(from..to.unwrap_or(bytes.len())).ok_or_else(|| format!("{} got shorter", file.display()))?;
    part.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice(line)
                .map_err(|error| format!("{}: {error}: {}", file.display(), String::from_utf8_lossy(line)))
        })
        .collect()
}
