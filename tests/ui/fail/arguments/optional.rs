// `Option<&mut Checkpointer>`.

use kcl::Checkpointer;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, checkpointer: Option<&mut Checkpointer>) {
        let _ = checkpointer;
    }
}
