// A blocking checkpointer in an `async` handler of batches.

use kcl::{CheckpointError, Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records]
    async fn add(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
        checkpointer.checkpoint()
    }
}
