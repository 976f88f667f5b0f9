// A type that is not a processor.

struct Count {
    records: usize,
}

impl Count {
    fn count(&mut self, _: &kcl::Record) {
        self.records += 1;
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Count>()
}
