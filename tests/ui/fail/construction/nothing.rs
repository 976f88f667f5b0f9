// A constructor that returns nothing.

use kcl::{Record, Shard};

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard: &Shard) {
        eprintln!("{}", shard.id());
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
