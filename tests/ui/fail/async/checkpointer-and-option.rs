// An asynchronous checkpointer and the option `checkpoint`.

use kcl::{AsyncCheckpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = "30s")]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: &mut AsyncCheckpointer) {
        self.bytes += record.data().len();
    }
}
