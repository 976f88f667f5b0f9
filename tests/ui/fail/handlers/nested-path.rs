// A handler attribute with the path of `processor`.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[kcl::processor::on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
