// A hand-written `main` in addition to the generated one.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Count>()
}
