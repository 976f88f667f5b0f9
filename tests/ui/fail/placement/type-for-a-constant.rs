// The type has a type where its parameter is a constant.

use kcl::Record;

#[derive(Default)]
struct Sampled<const N: usize> {
    bytes: usize,
}

#[kcl::processor]
impl Sampled<u8> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
