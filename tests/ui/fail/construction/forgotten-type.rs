// A constructor without a return type, although it makes a processor.

use kcl::{Record, Shard};

struct Bytes {
    shard: String,
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard: &Shard) {
        Bytes { shard: shard.id().to_owned(), bytes: 0 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
        eprintln!("{}: {} bytes", self.shard, self.bytes);
    }
}
