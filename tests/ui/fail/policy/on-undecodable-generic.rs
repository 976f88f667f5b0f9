// `on_undecodable` for a generic processor without a payload.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    value: Option<T>,
}

#[kcl::processor(main = false)]
impl<T> Last<T> {
    #[on_record(on_undecodable = skip)]
    fn forget(&mut self, _: &Record) {
        self.value = None;
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Last<u64>>()
}
