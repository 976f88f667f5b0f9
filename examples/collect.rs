//! Collects records and writes them out many at a time: at each tick, when there are enough of them, and at the end.
//!
//! The records are checkpointed after they are written, so a process that is killed loses none of them. That is why the handler of
//! the records takes a `Checkpointer`: without one, the runtime would checkpoint them as soon as the handler returns.

use std::fs::{self, File};
use std::io::Write;

use kcl::{BoxError, Checkpointer, Record, Shard};

/// The size of the collected lines at which they are written before the next tick, in bytes.
const FULL: usize = 1 << 20;

struct Collect {
    file: File,
    lines: Vec<u8>,
}

#[kcl::processor]
impl Collect {
    /// Each shard has a file of its own. A record that is delivered again is written again.
    #[on_init]
    fn open(shard: &Shard) -> std::io::Result<Self> {
        fs::create_dir_all("collected")?;
        let path = format!("collected/{}.jsonl", shard.id());
        Ok(Collect { file: File::options().create(true).append(true).open(path)?, lines: Vec::new() })
    }

    #[on_records]
    fn collect(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        for record in records {
            self.lines.extend_from_slice(record.data());
            self.lines.push(b'\n');
        }
        if self.lines.len() < FULL { Ok(()) } else { self.flush(checkpointer) }
    }

    /// A tick comes within a message of the daemon. For a quiet shard, set `callProcessRecordsEvenForEmptyRecordList=true` in the
    /// daemon's properties.
    #[on_tick(every = "1s")]
    fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.lines)?;
        self.file.sync_data()?;
        self.lines.clear();
        Ok(checkpointer.checkpoint()?)
    }

    #[on_shard_end]
    fn finish(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.flush(checkpointer)
    }

    #[on_shutdown_requested]
    fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.flush(checkpointer)
    }
}
