// A blocking checkpointer in an `async` tick.

use kcl::{AsyncCheckpointer, CheckpointError, Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: &mut AsyncCheckpointer) {
        self.bytes += record.data().len();
    }

    #[on_tick(every = "5s")]
    async fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
}
