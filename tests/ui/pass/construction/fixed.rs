// A constructor that returns `Self`.

use kcl::{Record, Shard};

struct Bytes {
    shard: String,
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Bytes { shard: shard.id().to_owned(), bytes: 0 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{}: {} bytes", self.shard, self.bytes);
    }
}
