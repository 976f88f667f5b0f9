// A type that is not a payload, in `#[on_record]`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, value: u32) {
        let _ = value;
    }
}
