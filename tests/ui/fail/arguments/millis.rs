// `Option<u64>` instead of `MillisBehindLatest`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, behind: Option<u64>) {
        let _ = behind;
    }
}
