// Every kind of error.

use std::fmt;

use kcl::{CheckpointError, Checkpointer, Record};

#[derive(Debug)]
enum Failed {
    Never,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Failed {}

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_init]
    fn open() -> Result<Self, Failed> {
        Err(Failed::Never)
    }

    #[on_records]
    fn count(&mut self, records: &[Record]) -> std::io::Result<()> {
        self.records += records.len();
        Ok(())
    }

    #[on_lease_lost]
    fn lost(&mut self) -> Result<(), String> {
        Err(format!("{} records", self.records))
    }

    #[on_shard_end]
    fn report(&self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }

    #[on_shutdown_requested]
    fn stop(&self) -> Result<(), &'static str> {
        Err("not now")
    }
}
