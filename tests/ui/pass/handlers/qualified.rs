// Attributes with their path.

use kcl::Record;

struct Count {
    records: usize,
}

#[::kcl::processor]
impl Count {
    #[kcl::on_init]
    fn open() -> Self {
        Count { records: 0 }
    }

    #[::kcl::on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }

    #[kcl::on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }
}
