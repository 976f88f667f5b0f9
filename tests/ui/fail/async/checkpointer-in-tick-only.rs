// An asynchronous checkpointer in a tick only.

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

    #[on_tick(every = "5s")]
    async fn report(&self, _: &mut AsyncCheckpointer) {
        eprintln!("{} bytes", self.bytes);
    }
}
