// A handler takes `self` as a trait object.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(self: &dyn Send, _: &Record) {}
}
