// Handler attributes with a name of `kcl` that the macro does not know.

use kcl as streams;
use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[streams::processor]
impl Revenue {
    #[streams::on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[streams::on_shard_end]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
