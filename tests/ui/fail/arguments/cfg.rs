// A `cfg` on an argument.

use kcl::{Record, Shard};

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record, #[cfg(unix)] shard: &Shard) {
        let _ = record;
        let _ = shard;
    }
}
