//! What processors with a policy have in common: what a record does stands in its data.

use std::collections::HashSet;
use std::error::Error;

use kcl::{BoxError, FromRecord, MillisBehindLatest, Record, Shard};
use tests::script::Script;

/// What is no `invalid`.
pub(crate) struct Valid;

impl FromRecord<'_> for Valid {
    type Error = &'static str;

    fn from_record(record: &Record) -> Result<Self, Self::Error> {
        if record.data() == b"invalid" { Err("invalid as told") } else { Ok(Valid) }
    }
}

/// Does what records say.
pub(crate) struct Poisoned {
    pub(crate) script: Script,
    /// The sequence numbers that failed once.
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
