// Two handlers with the same name.

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
    fn add(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
