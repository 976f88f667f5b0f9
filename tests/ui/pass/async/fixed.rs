// `async` handlers, and blocking ones beside them.

use kcl::{AsyncCheckpointer, CheckpointError, Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = "30s")]
    async fn add(&mut self, record: &Record, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        self.bytes += record.data().len();
        checkpointer.checkpoint().await
    }

    #[on_shutdown_requested]
    fn stop(&self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        eprintln!("{} bytes", self.bytes);
        checkpointer.checkpoint()
    }
}
