// A processor is a primitive type.

use kcl::Record;

#[kcl::processor]
impl u64 {
    #[on_record]
    fn count(&mut self, _: &Record) {
        *self += 1;
    }
}
