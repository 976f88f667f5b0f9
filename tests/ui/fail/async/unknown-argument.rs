// An argument that an `async` handler cannot take.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: std::time::Instant) {
        self.bytes += record.data().len();
    }
}
