// The attribute of a runtime on a handler.

use kcl::{BoxError, Record, Shard};

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[tokio::main]
    #[on_init]
    async fn open(shard: &Shard) -> Result<Self, BoxError> {
        eprintln!("{}", shard.id());
        Ok(Self { bytes: 0 })
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
