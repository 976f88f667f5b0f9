// The option on a handler that is not `async` and takes `&mut self`.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record(concurrency = 64)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
