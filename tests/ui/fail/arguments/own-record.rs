// A struct of one's own with the name of one of ours.

struct Record {
    bytes: usize,
}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.bytes;
    }
}
