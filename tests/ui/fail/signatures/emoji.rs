// A handler whose name has an emoji.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn 🚀(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
