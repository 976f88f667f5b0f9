// Syntax in a body that the macro may not know.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        if let Some(first) = record.data().first()
            && *first != 0
        {
            self.bytes += const { 1 + 1 };
        }
        let Some(_) = record.approximate_arrival_timestamp() else { return };
    }
}
