// An asynchronous checkpointer after the lease is lost.

use kcl::{AsyncCheckpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_lease_lost]
    async fn forget(&mut self, _: &mut AsyncCheckpointer) {
        self.bytes = 0;
    }
}
