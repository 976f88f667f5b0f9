// Concurrency of a handler with `self: &mut Self`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(self: &mut Self, record: &Record) {
        self.bytes += record.data().len();
    }
}
