// User-defined payloads, borrowed and owned.

use std::str::Utf8Error;

use kcl::{FromRecord, Record};

struct Line<'r>(&'r str);

impl<'r> FromRecord<'r> for Line<'r> {
    type Error = Utf8Error;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        std::str::from_utf8(record.data()).map(Line)
    }
}

#[derive(Default)]
struct Longest {
    line: String,
}

#[kcl::processor]
impl Longest {
    #[on_record]
    fn compare(&mut self, Line(line): Line<'_>) {
        if line.len() > self.line.len() {
            self.line = line.to_owned();
        }
    }
}
