// A handler attribute has a wrong path.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[crate::on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
