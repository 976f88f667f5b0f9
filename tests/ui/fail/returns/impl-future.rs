// A hand-written future.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> impl Future<Output = ()> {
        self.bytes += record.data().len();
        async {}
    }
}
