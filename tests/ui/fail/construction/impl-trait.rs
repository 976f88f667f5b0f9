// A constructor that returns `impl Trait`.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() -> impl std::any::Any {
        Bytes { bytes: 0 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
