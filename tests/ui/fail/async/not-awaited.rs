// A checkpoint that is not awaited.

use kcl::{AsyncCheckpointer, CheckpointError, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records]
    async fn add(&mut self, records: &[Record], checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
        checkpointer.checkpoint()
    }
}
