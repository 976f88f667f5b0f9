// On the impl of a trait object.

trait Count {
    fn add(&mut self);
}

#[kcl::processor]
impl dyn Count {
    #[on_record]
    fn count(&mut self) {
        self.add();
    }
}
