// A misspelt `main = false`, with a hand-written `main`.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor(mian = false)]
impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Count>()
}
