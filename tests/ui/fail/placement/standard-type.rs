// A type of the standard library.

use kcl::Record;

#[kcl::processor]
impl std::string::String {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.push_str(record.partition_key());
    }
}
