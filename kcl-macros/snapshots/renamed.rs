#[streams::processor(crate = crate::deps::streams)]
impl orders::Revenue {
    #[streams::on_records]
    fn add(&mut self, records: &[streams::Record], behind: streams::MillisBehindLatest) {
        self.cents += records.len();
    }

    #[on_shutdown_requested]
    fn stop(&mut self, checkpointer: &mut streams::Checkpointer) -> Result<(), streams::CheckpointError> {
        checkpointer.checkpoint()
    }
}
