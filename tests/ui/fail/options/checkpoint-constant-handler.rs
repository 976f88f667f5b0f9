// `checkpoint` with a constant that leaves the checkpoints to the handler.

use kcl::{Checkpoints, Record};

const PACE: Checkpoints = Checkpoints::Handler;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = PACE)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
