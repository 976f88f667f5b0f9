// A misspelt kind of runtime.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(runtime = multithread)]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
