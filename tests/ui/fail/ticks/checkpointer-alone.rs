// A checkpointer in a tick only.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_tick(every = "5s")]
    fn report(&self, _: &mut Checkpointer) {
        eprintln!("{} bytes", self.bytes);
    }
}
