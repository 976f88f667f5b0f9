// The argument of the type is left open.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    bytes: usize,
    value: T,
}

#[kcl::processor]
impl Last<_> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
