// `impl Trait` as an error.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), impl std::error::Error> {
        self.bytes += record.data().len();
        Err(std::fmt::Error)
    }
}
