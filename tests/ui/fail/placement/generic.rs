// A generic impl with a generated `main`.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    value: Option<T>,
}

#[kcl::processor]
impl<T: From<Vec<u8>>> Last<T> {
    #[on_record]
    fn keep(&mut self, record: &Record) {
        self.value = Some(record.data().to_vec().into());
    }
}
