//! Many records of a shard at once.

mod keys;
mod ring;
#[cfg(test)]
mod simulation;
mod slots;

#[cfg(test)]
use crate::record::Record;

/// Records for tests: every two of them are the user records of one aggregated record.
#[cfg(test)]
fn records(first: usize, count: usize) -> Vec<Record> {
    use crate::protocol::WireRecord;

    WireRecord::into_batch((first..first + count).map(|number| WireRecord {
        data: b"data",
        partition_key: "k",
        sequence_number: (number as u64 / 2).into(),
        sub_sequence_number: number as u64 % 2,
        approximate_arrival_timestamp: None,
    }))
}
