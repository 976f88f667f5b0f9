// Processors of one generic type, whose arguments differ.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    last: Option<T>,
}

#[kcl::processor(main = false)]
impl Last<String> {
    #[on_record]
    fn keep(&mut self, record: &Record) {
        self.last = Some(record.partition_key().to_owned());
    }
}

#[kcl::processor(main = false)]
impl Last<&'static str> {
    #[on_record]
    fn keep(&mut self, _: &Record) {
        self.last = Some("a record");
    }
}

#[kcl::processor(main = false)]
impl Last<[u8; 2]> {
    #[on_record]
    fn keep(&mut self, _: &Record) {
        self.last = None;
    }
}

fn main() {
    if std::env::args().count() > 1 {
        kcl::run::<Last<String>>();
        kcl::run::<Last<&str>>();
        kcl::run::<Last<[u8; 2]>>();
    }
}
