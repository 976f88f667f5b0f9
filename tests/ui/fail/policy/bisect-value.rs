// `bisect` with a value.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records(on_failure = skip, bisect = true)]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
