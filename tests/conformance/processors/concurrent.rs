//! `on_record` with `concurrency`. The rule `{"at": "policy", "do": [{"policy": "ahead"}]}` chooses one that works ahead.

use std::error::Error;
use std::process::ExitCode;

use kcl::{AsyncCheckpointer, MillisBehindLatest, Record, Shard};
use tests::script::{Failed, Script, policy};

macro_rules! scripted {
    ($name:ident, $ahead:literal) => {
        struct $name(Script);

        #[kcl::processor(main = false)]
        impl $name {
            #[on_init]
            async fn start(shard: &Shard) -> Result<Self, Box<dyn Error + Send + Sync>> {
                Script::start(shard).map(Self)
            }

            // The records start in the order of the shard.
            #[on_record(concurrency = 4, order = none, ahead = $ahead, drain = "20s")]
            async fn record(&self, record: &Record, behind: MillisBehindLatest) -> Result<(), Failed> {
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
            async fn shutdown_requested(&mut self) -> Result<(), Failed> {
                self.0.message_async("shutdown_requested", None).await
            }
        }
    };
}

scripted!(Plain, 0);
scripted!(Ahead, 1);

fn main() -> ExitCode {
    if policy() == "ahead" { kcl::run_async::<Ahead>() } else { kcl::run_async::<Plain>() }
}
