// The trait with the name of the attribute, written in upper case.

use kcl::{BoxError, ProcessRecords, Processor, Record};

#[derive(Default)]
struct ByHand;

impl Processor for ByHand {
    fn process_records(&mut self, _: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
