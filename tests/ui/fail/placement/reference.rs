// On an impl for a reference.

struct Count {
    records: std::cell::Cell<usize>,
}

#[kcl::processor]
impl &Count {
    #[on_record]
    fn count(&self) {
        self.records.set(self.records.get() + 1);
    }
}
