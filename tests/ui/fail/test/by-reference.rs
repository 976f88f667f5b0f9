// A test that borrows its daemon.

use kcl::testing::Daemon;
use kcl::Record;

#[derive(Default)]
struct Bytes(usize);

#[kcl::processor(main = false)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}

#[kcl::test]
fn nothing_is_lost(daemon: &Daemon) {
    daemon.records(["a"]).run::<Bytes>();
}

fn main() {}
