//! The options that say how an input becomes records.

use clap::Args;

use super::key::{Missing, Pointer};
use super::limits::{LONGEST_LINE, LONGEST_RECORD};
use super::record::{Format, LineFormat};
use crate::args::INPUT;

/// How the input becomes records.
#[derive(Debug, Args)]
pub(crate) struct RecordOptions {
    /// Format of the input: the data of a record on each line, a JSON object on each line that describes the record in full, or
    /// documents with records as AWS prints them
    #[arg(long, help_heading = INPUT, value_enum, value_name = "lines|json|aws", default_value_t = LineFormat::Lines, hide_possible_values = true)]
    pub(crate) format: LineFormat,

    /// JSON pointer to the partition key in each record, such as /customer; by default the key is the record's number
    #[arg(long, help_heading = INPUT, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// The partition key of a record that has none: its number, or this text. By default such a record is an error, but with --format
    /// json its key is its number
    #[arg(long, help_heading = INPUT, value_name = "number|TEXT")]
    pub(crate) key_missing: Option<Missing>,

    /// Accept records of up to 10 MiB instead of 1 MiB, as a stream configured for large records does
    #[arg(long, help_heading = INPUT)]
    pub(crate) large_records: bool,
}

impl RecordOptions {
    /// The format that these options describe.
    ///
    /// # Errors
    ///
    /// The reason why they contradict each other.
    pub(crate) fn format(&self) -> Result<Format, &'static str> {
        Format::new(self.format, self.key.clone(), self.key_missing.clone())
    }

    /// The largest size of a record, in bytes.
    pub(crate) fn longest(&self) -> usize {
        if self.large_records { LONGEST_LINE } else { LONGEST_RECORD }
    }
}
