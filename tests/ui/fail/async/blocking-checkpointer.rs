// A blocking checkpointer in an `async` handler.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: &mut Checkpointer) {
        self.bytes += record.data().len();
    }
}
