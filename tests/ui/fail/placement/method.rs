// On a method.

use kcl::Record;

struct Revenue {
    bytes: usize,
}

impl Revenue {
    #[kcl::processor]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() {}
