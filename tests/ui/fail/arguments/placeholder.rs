// `_` as a type.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: _) {
        let _ = record;
    }
}
