//! Collects records and writes them out many at a time: at each tick, when there are enough of them, and at the end.
//!
//! The records are checkpointed after they are written, so a process that is killed loses none of them. That is why the handler of
//! the records takes a `Checkpointer`: without one, the runtime would checkpoint them as soon as the handler returns.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

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
    fn open(shard: &Shard) -> io::Result<Self> {
        Collect::open_in(Path::new("collected"), shard)
    }

    fn open_in(folder: &Path, shard: &Shard) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.jsonl", shard.id()));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kcl::testing::{Daemon, Report, Steps};

    use super::*;

    /// Runs these steps, and returns the lines that were written.
    fn run(steps: impl FnOnce(Steps) -> Steps) -> (Report<Collect>, String) {
        let folder = tempfile::tempdir().unwrap();
        let run = Daemon::new().shard("s", steps).run_with(|shard: &Shard| Collect::open_in(folder.path(), shard));
        let lines = fs::read_to_string(folder.path().join("s.jsonl")).unwrap();
        (run, lines)
    }

    #[test]
    fn a_tick_writes_and_then_checkpoints_what_was_collected() {
        let (run, lines) = run(|steps| {
            let collected = steps.batch(["a", "b"]).pass(Duration::from_secs(1)).empty_batch();
            // The process is killed before `c` is written, so `c` comes again. The rest is written when the worker stops.
            collected.batch(["c"]).crash().shutdown_requested()
        });
        run.assert_succeeded();
        assert_eq!(lines, "a\nb\nc\n");
        assert_eq!(
            run.checkpoints().iter().map(|checkpoint| checkpoint.record()).collect::<Vec<_>>(),
            [Some(2), Some(3)]
        );
    }

    #[test]
    fn the_rest_is_written_before_the_end_of_the_shard_is_checkpointed() {
        let (run, lines) = run(|steps| steps.batch(["a"]).shard_end());
        run.assert_succeeded();
        run.assert_shard_ended();
        assert_eq!(lines, "a\n");
    }
}
