// Every handler, used correctly.

use kcl::{BoxError, Checkpointer, MillisBehindLatest, Record, Shard};

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, BoxError> {
        eprintln!("{}", shard.id());
        Ok(Bytes { bytes: 0 })
    }

    #[on_records]
    fn add(
        &mut self,
        records: &[Record],
        checkpointer: &mut Checkpointer,
        MillisBehindLatest(behind): MillisBehindLatest,
    ) -> Result<(), BoxError> {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
        eprintln!("{behind:?}");
        Ok(checkpointer.checkpoint()?)
    }

    #[on_lease_lost]
    fn lost(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }

    #[on_shutdown_requested]
    fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        Ok(checkpointer.checkpoint()?)
    }
}
