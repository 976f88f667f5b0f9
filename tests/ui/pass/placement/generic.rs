// A generic processor.

use kcl::Record;

#[derive(Default)]
struct Last<T> {
    value: Option<T>,
}

#[kcl::processor(main = false)]
impl<T: From<Vec<u8>>> Last<T> {
    #[on_record]
    fn keep(&mut self, record: &Record) {
        self.value = Some(record.data().to_vec().into());
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Last<Box<[u8]>>>()
}
