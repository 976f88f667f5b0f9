// `checkpoint` for a handler that takes a `Checkpointer`.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = "30s")]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record, checkpointer: &mut Checkpointer) {
        self.bytes += record.data().len();
        _ = checkpointer.checkpoint();
    }
}
