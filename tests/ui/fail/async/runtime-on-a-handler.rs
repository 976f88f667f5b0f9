// A runtime on a handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(runtime = multi_thread)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
