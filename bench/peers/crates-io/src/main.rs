//! The crate `kcl` of crates.io.

use kcl::checkpointer::Checkpointer;
use kcl::reader::StdinReader;
use kcl::writer::StdoutWriter;
use kcl::{Processor, Record};

#[derive(Default)]
struct Tally {
    records: u64,
    bytes: u64,
    sum: u64,
}

impl Processor<StdoutWriter, StdinReader> for Tally {
    fn initialize(&mut self, _: &str) {}

    fn process_records(&mut self, records: &[Record], checkpointer: &mut Checkpointer<StdoutWriter, StdinReader>) {
        for record in records {
            self.records += 1;
            self.bytes += record.raw_data.len() as u64;
            self.sum += record.raw_data.get(record.raw_data.len() / 2).copied().map_or(0, u64::from);
        }
        checkpointer.checkpoint(None, None).expect("the daemon accepts it");
    }

    fn lease_lost(&mut self) {
        eprintln!("tally {} {} {}", self.records, self.bytes, self.sum);
    }

    fn shard_ended(&mut self, _: &mut Checkpointer<StdoutWriter, StdinReader>) {}

    fn shutdown_requested(&mut self, _: &mut Checkpointer<StdoutWriter, StdinReader>) {}
}

fn main() {
    kcl::run(&mut Tally::default());
}
