// An `async` handler that returns a value.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) -> usize {
        self.bytes += record.data().len();
        self.bytes
    }
}
