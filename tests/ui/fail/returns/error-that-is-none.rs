// A `Result` whose error type is not an error.

use kcl::Record;

struct TooMany;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), TooMany> {
        self.bytes += record.data().len();
        Err(TooMany)
    }
}
