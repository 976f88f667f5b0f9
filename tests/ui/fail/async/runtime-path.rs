// A kind of runtime as a path.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(runtime = tokio::runtime::RuntimeFlavor::MultiThread)]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
