// A handler takes `self` as a reference to another type.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

struct Order;

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(self: &Order, _: &Record) {}
}
