// A processor that is generic over its payload, with a where clause.

use std::fmt::Debug;

use kcl::{Checkpointer, Json, Shard};
use serde::de::DeserializeOwned;

struct Print<T> {
    last: Option<T>,
}

#[kcl::processor(main = false)]
impl<T> Print<T>
where
    T: DeserializeOwned + Debug,
{
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, String> {
        if shard.id().is_empty() { Err("a shard without a name".into()) } else { Ok(Print { last: None }) }
    }

    #[on_record]
    fn print(&mut self, Json(value): Json<T>, checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        self.last = Some(value);
        checkpointer.checkpoint()
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{:?}", self.last);
    }
}

const _: () = assert!(matches!(<Print<u64> as kcl::Processor>::CHECKPOINTS, kcl::Checkpoints::Handler));

fn main() -> std::process::ExitCode {
    kcl::run::<Print<Vec<u64>>>()
}
