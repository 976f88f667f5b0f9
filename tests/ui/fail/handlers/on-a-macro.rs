// A handler attribute on a macro call.

use kcl::Record;

macro_rules! report {
    () => {
        fn report(&self) {
            eprintln!("{} bytes", self.bytes);
        }
    };
}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_shard_end]
    report!();

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
