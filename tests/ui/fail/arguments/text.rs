// `&str` in `#[on_record]`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, line: &str) {
        let _ = line;
    }
}
