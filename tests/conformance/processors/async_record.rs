//! An `async` `on_record` without a checkpointer: the runtime checkpoints.

use std::error::Error;

use kcl::{AsyncCheckpointer, MillisBehindLatest, Record, Shard};
use tests::script::{Failed, Script};

struct Scripted(Script);

#[kcl::processor]
impl Scripted {
    #[on_init]
    async fn start(shard: &Shard) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Script::start(shard).map(Self)
    }

    #[on_record]
    async fn record(&mut self, record: &Record, behind: MillisBehindLatest) -> Result<(), Failed> {
        self.0.record_async(record, behind, None).await
    }

    #[on_lease_lost]
    async fn lease_lost(&mut self) -> Result<(), Failed> {
        self.0.message_async("lease_lost", None).await
    }

    #[on_shard_end]
    async fn shard_end(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), Failed> {
        self.0.message_async("shard_end", Some(checkpointer)).await
    }

    #[on_shutdown_requested]
    async fn shutdown_requested(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), Failed> {
        self.0.message_async("shutdown_requested", Some(checkpointer)).await
    }
}
