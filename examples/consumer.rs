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

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, TestRecord};

    use super::*;

    #[test]
    fn a_record_need_not_be_text() {
        let run = Daemon::new().batch([TestRecord::text("a"), TestRecord::bytes([0xff])]).shard_end().run::<Consumer>();
        run.assert_succeeded();
        assert_eq!(run.processor().shard, "shardId-000000000000");
        run.assert_shard_ended();
    }
}
