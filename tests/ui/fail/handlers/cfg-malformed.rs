// A `#[cfg]` with two predicates.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[cfg(unix, target_pointer_width = "64")]
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
