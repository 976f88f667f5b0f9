// Two attributes on one method.

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

    #[on_shard_end]
    #[on_shutdown_requested]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
