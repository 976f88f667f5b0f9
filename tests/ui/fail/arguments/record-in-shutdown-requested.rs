// A record in `#[on_shutdown_requested]`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_shutdown_requested]
    fn report(&self, record: &Record) {
        let _ = record;
    }
}
