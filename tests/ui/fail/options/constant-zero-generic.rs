// A constant of 0 on a generic processor, which `cargo check` finds too.

use kcl::{Checkpoints, Record};

const PACE: Checkpoints = Checkpoints::Records(0);

#[derive(Default)]
struct Sampled<T> {
    samples: Vec<T>,
}

#[kcl::processor(main = false, checkpoint = PACE)]
impl<T: From<u8>> Sampled<T> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.samples.extend(record.data().first().map(|&byte| T::from(byte)));
    }
}

fn main() {}
