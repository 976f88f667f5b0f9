// A generic struct has the attribute as well as the impl for one of its instances.

use kcl::Record;

#[kcl::processor]
#[derive(Default)]
struct Last<T> {
    last: Option<T>,
}

#[kcl::processor]
impl Last<String> {
    #[on_record]
    fn keep(&mut self, record: &Record) {
        self.last = Some(record.partition_key().to_owned());
    }
}
