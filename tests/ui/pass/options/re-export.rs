// `kcl` through a re-export.

mod vendored {
    pub mod deps {
        pub use kcl as streams;
    }
}

#[derive(Default)]
struct Count {
    records: usize,
}

#[vendored::deps::streams::processor(crate = crate::vendored::deps::streams)]
impl Count {
    #[on_record]
    fn count(&mut self, _: &vendored::deps::streams::Record) {
        self.records += 1;
    }

    #[crate::vendored::deps::streams::on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }
}
