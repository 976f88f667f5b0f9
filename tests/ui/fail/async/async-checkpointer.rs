// An asynchronous checkpointer in a blocking handler.

use kcl::{AsyncCheckpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, records: &[Record], _: &mut AsyncCheckpointer) {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
    }
}
