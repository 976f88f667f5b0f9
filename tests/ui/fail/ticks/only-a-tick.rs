// A tick without a record handler.

use kcl::Shard;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_tick(every = "5s")]
    fn report(&self, _: &Shard) {
        eprintln!("{} bytes", self.bytes);
    }
}
