// A receiver that borrows the processor for longer than the call.

use kcl::Record;

#[derive(Default)]
struct Last<'a> {
    key: Option<&'a str>,
}

#[kcl::processor]
impl<'a> Last<'a> {
    #[on_record]
    fn keep(&'a mut self, record: &Record) {
        eprintln!("{record:?} {:?}", self.key);
    }
}
