// Many records at once, and what runs beside them.

use std::cell::Cell;

use kcl::{AsyncCheckpointer, CheckpointError, DeadLetter, Record, Shard};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(
        concurrency = 64,
        order = partition_key,
        ahead = 1,
        ahead_bytes = "64 MiB",
        timeout = "30s",
        drain = "10s",
        retry = 3,
        on_failure = dead_letter,
    )]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }

    #[on_tick(every = "5s")]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes.get());
    }

    #[on_dead_letter]
    async fn keep(&self, letter: &DeadLetter<'_>) {
        eprintln!("{:?}", letter.record());
    }

    #[on_lease_lost]
    fn forget(&mut self) {
        self.bytes.take();
    }

    #[on_shutdown_requested]
    async fn stop(&mut self, shard: &Shard) {
        eprintln!("{}: {} bytes", shard.id(), self.bytes.take());
    }

    #[on_shard_end]
    async fn finish(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }
}
