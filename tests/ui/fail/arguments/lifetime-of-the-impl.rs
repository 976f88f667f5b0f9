// A record that lives as long as the processor.

use kcl::Record;

#[derive(Default)]
struct Last<'a> {
    record: Option<&'a Record>,
}

#[kcl::processor]
impl<'a> Last<'a> {
    #[on_record]
    fn keep(&mut self, record: &'a Record) {
        self.record = Some(record);
    }
}
