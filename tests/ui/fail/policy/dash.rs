// A dash in the name of an option.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record(on-failure = skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
