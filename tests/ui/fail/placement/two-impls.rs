// The handlers are in two impls.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

#[kcl::processor]
impl Revenue {
    #[on_shard_end]
    fn report(&mut self) {
        eprintln!("{}", self.bytes);
    }
}
