#[kcl::processor]
impl<T> Revenue<T> {
    #[on_init]
    fn open() {}

    #[on_recrods]
    fn add(&mut self, records: &[Record]) {}
}
