// A handler that changes the processor, and one that only reads it.

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
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
