// A boxed future.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
        self.bytes += record.data().len();
        Box::pin(async {})
    }
}
