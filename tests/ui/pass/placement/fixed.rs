// The attribute on the `impl` block of the processor's type, in the crate root.

use kcl::Record;

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
