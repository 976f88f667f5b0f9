// A constant that depends on a generic parameter.

use std::time::Duration;

use kcl::Record;

#[derive(Default)]
struct Sampled<T> {
    samples: Vec<T>,
}

#[kcl::processor(main = false, warn_after = Self::SLOW)]
impl<T: From<u8>> Sampled<T> {
    const SLOW: Duration = Duration::from_secs(90);

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.samples.extend(record.data().first().map(|&byte| T::from(byte)));
    }
}

fn main() {}
