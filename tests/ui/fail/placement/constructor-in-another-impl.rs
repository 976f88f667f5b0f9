// The constructor is in an impl of its own.

use kcl::{Record, Shard};

struct Revenue {
    shard: String,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Revenue { shard: shard.id().to_owned() }
    }
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        eprintln!("{}: {}", self.shard, record.data().len());
    }
}
