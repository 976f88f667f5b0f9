// `Shard` by value.

use kcl::Shard;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, shard: Shard) {
        let _ = shard;
    }
}
