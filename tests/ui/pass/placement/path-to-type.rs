// A type named by a path.

mod orders {
    #[derive(Default)]
    pub struct Count {
        pub records: usize,
    }
}

#[kcl::processor]
impl orders::Count {
    #[on_record]
    fn count(&mut self, _: &kcl::Record) {
        self.records += 1;
    }
}
