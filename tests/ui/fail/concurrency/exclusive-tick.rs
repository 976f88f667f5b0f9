// A tick with `&mut self` beside concurrency.

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

    #[on_tick(every = "5s")]
    fn report(&mut self) {
        eprintln!("{} bytes", self.bytes.take());
    }
}
