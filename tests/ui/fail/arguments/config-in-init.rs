// A configuration in `#[on_init]`.

use kcl::{Record, Shard};

struct Config {
    limit: usize,
}

struct Bytes {
    limit: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(_: &Shard, config: &Config) -> Self {
        Bytes { limit: config.limit }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.limit -= record.data().len();
    }
}
