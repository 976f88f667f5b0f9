// `warn_after` with a duration of 0.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(warn_after = "0s")]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
