//! The common part of the processors with a policy: the data of a record chooses what it does.

use std::collections::HashSet;
use std::error::Error;

use kcl::{BoxError, FromRecord, MillisBehindLatest, Record, Shard};
use tests::script::Script;

/// Any payload but `invalid`.
pub(crate) struct Valid;

impl FromRecord<'_> for Valid {
    type Error = &'static str;

    fn from_record(record: &Record) -> Result<Self, Self::Error> {
        if record.data() == b"invalid" { Err("invalid as told") } else { Ok(Valid) }
    }
}

/// Handles records as their data says.
pub(crate) struct Poisoned {
    pub(crate) script: Script,
    /// The records that have failed once, by sequence and sub-sequence number.
    failed: HashSet<(String, u64)>,
}

impl Poisoned {
    pub(crate) fn start(shard: &Shard) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Poisoned { script: Script::start(shard)?, failed: HashSet::new() })
    }

    pub(crate) fn record(&mut self, record: &Record, behind: MillisBehindLatest) -> Result<(), BoxError> {
        self.script.record(record, behind, None)?;
        let place = (record.sequence_number().to_string(), record.sub_sequence_number());
        match record.data() {
            b"poison" => Err("failed as told".into()),
            b"panic" => panic!("panicked as told"),
            b"once" if self.failed.insert(place) => Err("failed as told".into()),
            _ => Ok(()),
        }
    }
}
