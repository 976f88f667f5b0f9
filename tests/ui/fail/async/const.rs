// An `async` handler that is `const`, too.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    const async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
