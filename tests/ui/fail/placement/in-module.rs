// A generated `main` in a module.

mod orders {
    use kcl::Record;

    #[derive(Default)]
    pub struct Count {
        records: usize,
    }

    #[kcl::processor]
    impl Count {
        #[on_record]
        fn count(&mut self, _: &Record) {
            self.records += 1;
        }
    }
}
