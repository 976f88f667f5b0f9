// The shard's id in `#[on_init]`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open(shard_id: String) -> Self {
        eprintln!("{shard_id}");
        Bytes { bytes: 0 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
