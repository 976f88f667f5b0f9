// The attribute is on the struct, and the handlers are in its impl.

use kcl::{Record, Shard};

#[kcl::processor]
struct Revenue {
    bytes: usize,
}

impl Revenue {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Revenue { bytes: 0 }
    }

    #[on_record(retry = 3)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
