// Options on a handler that has none.

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

    #[on_shard_end(retry = 3)]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
