// Concurrency of a handler with `&mut self`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
