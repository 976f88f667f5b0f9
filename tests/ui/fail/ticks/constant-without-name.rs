// The time of a tick in a constant, without the name of the option.

use std::time::Duration;

use kcl::Record;

mod pace {
    use super::Duration;

    pub(crate) const REPORT: Duration = Duration::from_secs(5);
}

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

    #[on_tick(pace::REPORT)]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
