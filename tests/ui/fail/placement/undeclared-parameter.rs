// The impl does not declare a parameter.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    bytes: usize,
    value: T,
}

#[kcl::processor]
impl Last<T> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
