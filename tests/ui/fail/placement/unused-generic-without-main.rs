// A generic parameter that nothing uses, with a hand-written `main`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(main = false)]
impl<T: Clone> Bytes
where
    T: Send,
{
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Bytes>()
}
