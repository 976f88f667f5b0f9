// A checkpointer in a tick, and the option `checkpoint`.

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = "30s")]
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
