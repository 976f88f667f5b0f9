//! Prints the records of a stream, shard by shard: the counterpart of `producer`.
//!
//! It knows nothing about AWS: `cargo kcl local --stream s1`, `cargo kcl daemon` and a file feed it in the same way.

use kcl::{Record, Shard};

struct Consumer {
    shard: String,
}

#[kcl::processor]
impl Consumer {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Consumer { shard: shard.id().to_owned() }
    }

    #[on_records]
    fn print(&self, records: &[Record]) {
        eprintln!("shard {} got {} records", self.shard, records.len());
        for record in records {
            eprintln!("shard {} data: {}", self.shard, String::from_utf8_lossy(record.data()));
        }
    }
}
