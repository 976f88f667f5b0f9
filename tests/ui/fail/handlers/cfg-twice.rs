// `cfg`s that leave one handler twice.

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

    #[cfg(unix)]
    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }

    #[cfg(not(windows))]
    #[on_shard_end]
    fn report_too(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
