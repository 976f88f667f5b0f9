// An impl of helpers, one of which is named like a handler.

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    fn process_record(&mut self, data: &[u8], partition_key: &str) {
        self.bytes += data.len() + partition_key.len();
    }
}
