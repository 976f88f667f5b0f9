// A processor without a known size.

use kcl::{Record, Shard};

struct Bytes {
    bytes: usize,
    rest: [u8],
}

#[kcl::processor(main = false)]
impl Bytes {
    #[on_init]
    fn open(_: &Shard) -> Self {
        unimplemented!()
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() {}
