// Two asynchronous checkpointers.

use kcl::{AsyncCheckpointer, Record};

type Marks<'a> = &'a mut AsyncCheckpointer;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: &mut AsyncCheckpointer, _: Marks<'_>) {
        self.bytes += record.data().len();
    }
}
