// A processor with an elided lifetime.

use kcl::Record;

#[derive(Default)]
struct Named<'a> {
    name: &'a str,
}

#[kcl::processor]
impl Named<'_> {
    #[on_record]
    fn print(&mut self, record: &Record) {
        eprintln!("{} {record:?}", self.name);
    }
}
