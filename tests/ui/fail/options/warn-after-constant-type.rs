// `warn_after` with a constant of another type.

use kcl::Record;

const SLOW: &str = "5m";

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(warn_after = SLOW)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
