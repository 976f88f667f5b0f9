// Receivers with a type, and with a lifetime.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(self: &mut Self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_shard_end]
    fn report(self: &Bytes) {
        eprintln!("{} bytes", self.bytes);
    }

    #[on_lease_lost]
    fn lost<'a>(&'a mut self) {
        let bytes: &'a mut usize = &mut self.bytes;
        *bytes = 0;
    }
}
