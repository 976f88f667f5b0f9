// A handler attribute above `#[kcl::processor]`.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[on_record]
#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
