// An argument that a handler of the shutdown cannot take beside concurrency.

use std::cell::Cell;

use kcl::Record;

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
    async fn stop(&mut self, _: &[Record]) {
        eprintln!("{} bytes", self.bytes.get());
    }
}
