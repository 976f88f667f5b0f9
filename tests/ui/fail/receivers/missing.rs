// No receiver.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(record: &Record) {
        eprintln!("{record:?}");
    }
}
