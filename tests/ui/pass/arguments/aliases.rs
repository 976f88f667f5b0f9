// An alias for the type of every argument.

use kcl::{Checkpoints, Processor};

type Batch<'a> = &'a [kcl::Record];
type Progress<'a> = &'a mut kcl::Checkpointer;
type Place<'a> = &'a kcl::Shard;
type Behind = kcl::MillisBehindLatest;
type Done = Result<(), kcl::CheckpointError>;
type Made<T> = Result<T, std::io::Error>;

struct Count {
    records: usize,
}

type This = Count;

#[kcl::processor]
impl This {
    #[on_init]
    fn open(_: Place<'_>) -> Made<This> {
        Ok(Count { records: 0 })
    }

    #[on_records]
    fn count(&mut self, _: Behind, progress: Progress<'_>, place: Place, batch: Batch<'_>) -> Done {
        self.records += batch.len();
        eprintln!("{}", place.id());
        progress.checkpoint()
    }

    #[on_shard_end]
    fn report(&self, progress: Progress, _: Place<'_>) -> Done {
        progress.checkpoint()
    }
}

const _: () = assert!(matches!(Count::CHECKPOINTS, Checkpoints::Handler));
