// Handlers are in the impl of a trait.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

trait Handle {
    fn add(&mut self, record: &Record);
}

#[kcl::processor]
impl Handle for Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
