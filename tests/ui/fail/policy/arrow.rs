// An arrow instead of an equals sign.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record(on_failure => skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
