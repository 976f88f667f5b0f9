// A test among the handlers.

use kcl::Record;
use kcl::testing::Daemon;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[kcl::test]
    fn bytes_are_added(daemon: Daemon) {
        let _ = daemon;
    }
}
