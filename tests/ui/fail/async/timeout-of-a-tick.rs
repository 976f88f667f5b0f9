// A timeout of a tick.

use kcl::Record;

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

    #[on_tick(every = "5s", timeout = "1s")]
    async fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
