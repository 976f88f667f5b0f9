// A constant with a cast.

use kcl::Record;

const RETRIES: u8 = 3;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record(retry = RETRIES as u32)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
