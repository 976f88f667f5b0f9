//! `on_records` with a `Checkpointer`: the script decides when to checkpoint.

use std::error::Error;

use kcl::{Checkpointer, MillisBehindLatest, Record, Shard};
use tests::script::{Failed, Script};

struct Scripted(Script);

#[kcl::processor]
impl Scripted {
    #[on_init]
    fn start(shard: &Shard) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Script::start(shard).map(Self)
    }

    #[on_records]
    fn records(
        &mut self,
        behind: MillisBehindLatest,
        checkpointer: &mut Checkpointer,
        records: &[Record],
    ) -> Result<(), Failed> {
        self.0.records(records, behind, Some(checkpointer))
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) -> Result<(), Failed> {
        self.0.message("lease_lost", None)
    }

    #[on_shard_end]
    fn shard_end(&mut self, checkpointer: &mut Checkpointer) -> Result<(), Failed> {
        self.0.message("shard_end", Some(checkpointer))
    }

    #[on_shutdown_requested]
    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result<(), Failed> {
        self.0.message("shutdown_requested", Some(checkpointer))
    }
}
