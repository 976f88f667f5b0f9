// The same wrong error type in several handlers.

use kcl::{Record, Shard};

enum Problem {
    Empty,
}

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, Problem> {
        if shard.id().is_empty() { Err(Problem::Empty) } else { Ok(Self { bytes: 0 }) }
    }

    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), Problem> {
        self.bytes += record.data().len();
        Ok(())
    }

    #[on_shard_end]
    fn end(&mut self) -> Result<(), Problem> {
        Ok(())
    }
}
