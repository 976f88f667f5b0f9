// `&MillisBehindLatest`.

use kcl::MillisBehindLatest;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, behind: &MillisBehindLatest) {
        let _ = behind;
    }
}
