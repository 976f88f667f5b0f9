// Arguments in a tuple.

use kcl::{Record, Shard};

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, (record, shard): (&Record, &Shard)) {
        let _ = (record, shard);
    }
}
