// A handler outside an annotated impl, with its path.

struct Count {
    records: usize,
}

impl Count {
    #[kcl::on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }
}

fn main() {}
