// Twice on one impl.

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
#[kcl::processor]
impl Count {
    #[on_record]
    fn count(&mut self) {
        self.records += 1;
    }
}
