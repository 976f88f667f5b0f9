// A flag in the form of a call.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_records(on_failure = skip, bisect())]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
