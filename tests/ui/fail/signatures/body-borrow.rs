// A record that is kept without a clone.

use kcl::Record;

#[derive(Default)]
struct Kept {
    records: Vec<Record>,
}

#[kcl::processor]
impl Kept {
    #[on_records]
    fn keep(&mut self, records: &[Record]) {
        for record in records {
            self.records.push(*record);
        }
    }
}
