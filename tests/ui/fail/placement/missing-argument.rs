// The type has no argument for its parameter.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    bytes: usize,
    value: T,
}

#[kcl::processor]
impl Last {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
