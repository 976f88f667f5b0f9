#[kcl::processor]
impl Count {
    #[on_record]
    fn count(&mut self) {
        self.records += 1;
    }
}
