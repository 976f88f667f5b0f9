// The name of the trait instead of the attribute.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::Processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
