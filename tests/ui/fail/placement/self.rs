// The impl is on `Self`.

use kcl::Record;

#[kcl::processor]
impl Self {
    #[on_record]
    fn add(&mut self, _: &Record) {}
}
