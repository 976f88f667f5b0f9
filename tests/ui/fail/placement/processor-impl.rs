// On a hand-written impl of `kcl::Processor`.

use kcl::{BoxError, ProcessRecords, Processor};

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Processor for Count {
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        self.records += input.records().len();
        Ok(())
    }
}
