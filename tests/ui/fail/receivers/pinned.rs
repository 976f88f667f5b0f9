// `Pin<&mut Self>`.

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
    fn report(self: std::pin::Pin<&mut Self>) {
        eprintln!("{} bytes", self.bytes);
    }
}
