#[kcl::processor]
impl Sample {
    #[on_init]
    async fn open(shard: &Shard) -> Result<Self, io::Error> {
        Sample::connect(shard.id()).await
    }

    #[on_record(retry = 3, timeout = "30s")]
    async fn add(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), BoxError> {
        self.database.add().await?;
        Ok(checkpointer.checkpoint().await?)
    }

    #[on_tick(every = "5s")]
    fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }

    #[on_lease_lost]
    fn forget(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }

    #[on_shard_end]
    async fn finish(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }

    #[on_shutdown_requested]
    async fn stop(&self) -> ! {
        exit(3)
    }
}
