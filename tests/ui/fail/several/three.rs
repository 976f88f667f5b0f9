// Three mistakes.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() {}

    #[on_record]
    fn add(self, record: &Record) {
        eprintln!("{record:?}");
    }

    #[on_shutdown]
    fn stop(&mut self) {}
}
