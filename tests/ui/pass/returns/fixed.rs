// `()`, or a `Result` of `()`.

use kcl::{BoxError, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), BoxError> {
        self.bytes += std::str::from_utf8(record.data())?.len();
        Ok(())
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
