// `bisect` on `#[on_record]`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(on_failure = skip, bisect)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
