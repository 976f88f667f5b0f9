// `&mut Shard`.

use kcl::Shard;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, shard: &mut Shard) {
        let _ = shard;
    }
}
