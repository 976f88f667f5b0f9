// A semicolon after a handler, where the attributes are written with the name of the crate.

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[kcl::on_record]
    fn add(&mut self, record: &kcl::Record) {
        self.bytes += record.data().len();
    };

    #[kcl::on_shard_end]
    fn report(&mut self) {
        eprintln!("{}", self.bytes);
    }
}
