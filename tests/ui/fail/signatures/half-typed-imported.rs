// An argument without its type, where the handler attributes are imported.

use kcl::{Record, Shard, on_record, on_shard_end, processor};

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record) {
        self.bytes += record.data().len();
    }

    #[on_shard_end]
    fn report(&mut self, shard: &Shard) {
        eprintln!("{}: {}", shard.id(), self.bytes);
    }
}

fn bytes(record: &Record) -> usize {
    record.data().len()
}
