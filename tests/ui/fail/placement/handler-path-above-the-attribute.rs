// A handler attribute with its path above `#[kcl::processor]`.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::on_record]
#[kcl::processor]
impl Revenue {
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
