// An impl for a type parameter.

use kcl::Record;

#[kcl::processor]
impl<T> T {
    #[on_record]
    fn count(&mut self, _: &Record) {}
}
