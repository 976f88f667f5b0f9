// A type that does not exist.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Recrod) {
        let _ = record;
    }
}
