// A test under schedules

use kcl::Record;
use kcl::testing::Daemon;

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
}

#[kcl::test(schedules = 1000)]
fn bytes_are_added(daemon: Daemon) {
    daemon.any_records(0..=20, |n| n.to_string()).run::<Bytes>().assert_succeeded();
}
