// Two equals signs.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record(retry == 3)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
