// The argument of the type is misspelt.

use kcl::Record;

#[derive(Default)]
struct Purchase;

#[derive(Default)]
struct Last<T> {
    bytes: usize,
    value: T,
}

#[kcl::processor]
impl Last<Purchas> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
