// Worker threads without a runtime that has them.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(worker_threads = 4)]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
