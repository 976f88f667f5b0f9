// `bisect` on the impl.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(bisect)]
impl Bytes {
    #[on_records(on_failure = skip)]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
