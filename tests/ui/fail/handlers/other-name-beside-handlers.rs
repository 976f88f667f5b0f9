// One handler attribute of several with another name of `kcl`.

use kcl as streams;
use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[streams::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[streams::on_shard_end]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
