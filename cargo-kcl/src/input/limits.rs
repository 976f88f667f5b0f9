//! The limits of Kinesis on records.

/// The most data that a processRecords message carries, and the most data and key of a record on a stream configured for large records.
pub(crate) const LONGEST_LINE: usize = 10 << 20;
/// The most data and key of a record on a Kinesis stream with default settings.
pub(crate) const LONGEST_RECORD: usize = 1 << 20;
