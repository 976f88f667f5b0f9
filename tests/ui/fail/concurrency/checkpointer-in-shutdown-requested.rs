// A checkpointer in a handler of the shutdown beside concurrency.

use std::cell::Cell;

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }

    #[on_shutdown_requested]
    fn stop(&mut self, _: &mut Checkpointer) {
        eprintln!("{} bytes", self.bytes.get());
    }
}
