// A type that cannot be an argument, in `#[on_records]`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, count: usize) {
        let _ = count;
    }
}
