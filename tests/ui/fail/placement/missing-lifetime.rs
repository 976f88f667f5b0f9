// The type has no lifetime for its parameter.

use kcl::Record;

#[derive(Default)]
struct Named<'a> {
    bytes: usize,
    name: &'a str,
}

#[kcl::processor]
impl Named {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
