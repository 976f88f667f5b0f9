// A generic constructor.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open<S: Into<String>>(shard: S) -> Self {
        eprintln!("{}", shard.into());
        Bytes { bytes: 0 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
