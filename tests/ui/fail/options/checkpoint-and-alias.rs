// `checkpoint` for a handler that takes an alias of `Checkpointer`.

type Marks<'a> = &'a mut kcl::Checkpointer;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = batch)]
impl Bytes {
    #[on_records]
    fn add(&mut self, marks: Marks<'_>) {
        _ = marks.checkpoint();
        self.bytes = 0;
    }
}
