// A feature without its `=`.

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

    #[cfg(feature("report"))]
    #[on_shard_end]
    fn report(&mut self) {
        eprintln!("{}", self.bytes);
    }
}
