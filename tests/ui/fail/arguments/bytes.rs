// `&[u8]` in `#[on_record]`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, data: &[u8]) {
        let _ = data;
    }
}
