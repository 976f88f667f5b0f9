// `Checkpointer` by value.

use kcl::{CheckpointError, Checkpointer};

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, checkpointer: Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
}
