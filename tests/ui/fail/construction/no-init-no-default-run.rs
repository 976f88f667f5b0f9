// Neither `#[on_init]` nor `Default`, with a hand-written `main`.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor(main = false)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Bytes>()
}
