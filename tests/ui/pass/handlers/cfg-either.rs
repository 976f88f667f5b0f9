// A handler for each of two configurations.

#![deny(warnings)]

use kcl::{Checkpointer, Checkpoints, Processor, Record};

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[cfg(windows)]
    #[on_records]
    fn count_all(&mut self, records: &[Record]) {
        self.records += records.len();
    }

    #[cfg(not(windows))]
    #[on_record]
    fn count(&mut self, _: &Record, _: &mut Checkpointer) {
        self.records += 1;
    }

    #[cfg(windows)]
    #[on_shutdown_requested]
    fn stop(&mut self) {}

    #[cfg(not(windows))]
    #[on_shutdown_requested]
    fn stop_here(&mut self, checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}

const _: () = assert!(matches!(Count::CHECKPOINTS, Checkpoints::Handler) == cfg!(not(windows)));
