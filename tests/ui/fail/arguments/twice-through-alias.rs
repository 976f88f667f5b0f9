// The same argument twice, through an alias.

use kcl::{Checkpointer, Record};

type Progress<'a> = &'a mut Checkpointer;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, checkpointer: &mut Checkpointer, progress: Progress<'_>, records: &[Record]) {
        let _ = checkpointer;
        let _ = progress;
        let _ = records;
    }
}
