// A const parameter of the impl as the value of an option.

use kcl::Record;

#[derive(Default)]
struct Bytes<const N: u32> {
    bytes: usize,
}

#[kcl::processor(main = false)]
impl<const N: u32> Bytes<N> {
    #[on_record(retry = N)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() {}
