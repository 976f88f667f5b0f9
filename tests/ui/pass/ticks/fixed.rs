// A tick that writes out what was collected, with a checkpointer.

use kcl::{CheckpointError, Checkpointer, Record};

#[derive(Default)]
struct Collect {
    lines: Vec<Record>,
}

#[kcl::processor]
impl Collect {
    #[on_record]
    fn collect(&mut self, record: &Record, _: &mut Checkpointer) {
        self.lines.push(record.clone());
    }

    #[on_tick(every = "5s")]
    fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        eprintln!("{} lines", self.lines.len());
        self.lines.clear();
        checkpointer.checkpoint()
    }
}
