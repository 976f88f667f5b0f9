// A handler takes `!`.

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, _: !) {}
}
