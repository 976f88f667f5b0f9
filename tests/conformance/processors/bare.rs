//! A processor with only the required handler.

use kcl::{MillisBehindLatest, Record};
use tests::script::{Failed, Script};

struct Bare(Script);

impl Default for Bare {
    fn default() -> Self {
        Self(Script::start_without_shard().unwrap_or_else(|error| panic!("{error}")))
    }
}

#[kcl::processor]
impl Bare {
    #[on_record]
    fn record(&mut self, record: &Record, MillisBehindLatest(behind): MillisBehindLatest) -> Result<(), Failed> {
        self.0.record(record, MillisBehindLatest(behind), None)
    }
}
