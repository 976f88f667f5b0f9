// Two processors in one binary.

use std::process::ExitCode;

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor(main = false)]
impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(main = false)]
impl Bytes {
    #[on_records]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("bytes") => kcl::run::<Bytes>(),
        _ => kcl::run::<Count>(),
    }
}
