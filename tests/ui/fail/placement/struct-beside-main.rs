// The attribute is on the struct, and `main` runs it.

use kcl::Record;

#[kcl::processor]
#[derive(Default)]
struct Revenue {
    bytes: usize,
}

impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Revenue>()
}
