#[kcl::processor]
impl Sample {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, io::Error> {
        Ok(Sample { file: File::open(shard.id())? })
    }

    #[on_records]
    fn write(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.file.write_all(records)?;
        Ok(checkpointer.checkpoint()?)
    }

    #[on_tick(every = "5s")]
    fn flush(&mut self, behind: MillisBehindLatest, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }

    #[on_lease_lost]
    fn forget(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }

    #[on_shard_end]
    fn finish(&mut self, shard: &Shard, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }

    #[on_shutdown_requested]
    fn stop(&self) -> ! {
        exit(3)
    }
}
