// The impl is on a trait.

use kcl::Record;

trait Handle {}

#[kcl::processor]
impl Handle {
    #[on_record]
    fn add(&mut self, _: &Record) {}
}
