// The attribute is misspelt, and those of the handlers are imported.

use kcl::{Record, on_record};

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::proccessor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
