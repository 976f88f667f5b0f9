// A checkpointer in a tick only, under another name.

use kcl::{Checkpointer, Record};

type Progress<'a> = &'a mut Checkpointer;

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
    fn report(&self, _: Progress<'_>) {
        eprintln!("{} bytes", self.bytes);
    }
}
