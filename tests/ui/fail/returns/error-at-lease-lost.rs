// A `Result` whose error type is not an error, from `#[on_lease_lost]`.

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

    #[on_lease_lost]
    fn report(&self) -> Result<(), ()> {
        Err(())
    }
}
