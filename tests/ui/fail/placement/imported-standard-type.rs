// An imported type of the standard library.

use std::collections::HashMap;

use kcl::Record;

#[kcl::processor]
impl HashMap<String, usize> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.insert(record.partition_key().to_owned(), record.data().len());
    }
}
