// Several wrong types.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard_id: &str) -> Self {
        Bytes { bytes: shard_id.len() }
    }

    #[on_records]
    fn add(&mut self, records: Vec<Record>, checkpointer: &Checkpointer) -> usize {
        eprintln!("{checkpointer:?}");
        records.len()
    }

    #[on_lease_lost]
    fn lost(&mut self, checkpointer: &mut Checkpointer) {
        eprintln!("{checkpointer:?}");
    }
}
