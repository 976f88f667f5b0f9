// The same argument twice, through an alias, in another handler.

use kcl::{Record, Shard};

type Place<'a> = &'a Shard;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_shard_end]
    fn report(&self, shard: &Shard, again: Place<'_>) {
        eprintln!("{} {}", shard.id(), again.id());
    }
}
