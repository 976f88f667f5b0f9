// `Checkpointer` by value.

use kcl::Checkpointer;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, checkpointer: Checkpointer) {
        let _ = checkpointer;
    }
}
