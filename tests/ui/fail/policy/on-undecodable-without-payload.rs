// `on_undecodable` for a handler without a payload.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(on_undecodable = skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
