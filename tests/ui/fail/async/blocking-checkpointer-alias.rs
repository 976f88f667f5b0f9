// An alias for a blocking checkpointer in an `async` handler.

use kcl::{Checkpointer, Record};

type Marks<'a> = &'a mut Checkpointer;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: Marks<'_>) {
        self.bytes += record.data().len();
    }
}
