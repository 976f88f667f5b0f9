// An `async` constructor that returns another type.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    async fn open() -> Option<Self> {
        Some(Bytes { bytes: 0 })
    }

    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
