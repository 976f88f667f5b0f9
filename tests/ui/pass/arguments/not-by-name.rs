// Another type named `Checkpointer`.

use kcl::{Checkpoints, FromRecord, Processor, Record};

struct Checkpointer;

impl FromRecord<'_> for Checkpointer {
    type Error = std::convert::Infallible;

    fn from_record(_: &Record) -> Result<Self, Self::Error> {
        Ok(Checkpointer)
    }
}

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_record]
    fn count(&mut self, _: Checkpointer) {
        self.records += 1;
    }
}

const _: () = assert!(matches!(Count::CHECKPOINTS, Checkpoints::Batch));
