// The input of `kcl::Processor`.

use kcl::ProcessRecords;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, input: &mut ProcessRecords<'_>) {
        let _ = input;
    }
}
