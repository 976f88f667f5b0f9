// `#[kcl::processor]` is on a method of an annotated impl.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[kcl::processor]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
