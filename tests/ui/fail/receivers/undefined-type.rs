// A handler takes `self` as a reference to a misspelt type.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(self: &Revenu, _: &Record) {}
}
