// A bound on a handler is not met.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record)
    where
        Self: Clone,
    {
        self.bytes += record.data().len();
    }
}
