// The impl does not declare a lifetime.

use kcl::Record;

#[derive(Default)]
struct Named<'a> {
    bytes: usize,
    name: &'a str,
}

#[kcl::processor]
impl Named<'a> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
