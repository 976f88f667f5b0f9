// A text instead of an array of records.

use kcl::Record;
use kcl::testing::Daemon;

#[derive(Default)]
struct Bytes(usize);

#[kcl::processor(main = false)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}

fn main() {
    Daemon::new().batch("a").run::<Bytes>().assert_succeeded();
}
