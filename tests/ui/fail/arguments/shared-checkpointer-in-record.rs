// `&Checkpointer` in `#[on_record]`.

use kcl::Checkpointer;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, checkpointer: &Checkpointer) {
        let _ = checkpointer.checkpoint();
    }
}
