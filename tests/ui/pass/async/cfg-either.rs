// `#[cfg]` decides which handlers are `async`.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[cfg(unix)]
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[cfg(not(unix))]
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[cfg(windows)]
    #[on_init]
    async fn open() -> Self {
        Bytes { bytes: 0 }
    }

    #[on_shard_end]
    fn finish(&self, _: &mut Checkpointer) {}
}
