// Every handler is `async`.

use std::io;

use kcl::{AsyncCheckpointer, BoxError, CheckpointError, DeadLetter, Json, MillisBehindLatest, Record, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

struct Revenue {
    shard: String,
    cents: u64,
}

#[kcl::processor(warn_after = "5m", log_payloads = false)]
impl Revenue {
    #[on_init]
    async fn open(shard: &Shard) -> io::Result<Self> {
        Ok(Revenue { shard: later(shard.id().to_owned()).await, cents: 0 })
    }

    #[on_record(retry = 3, on_failure = dead_letter, on_undecodable = dead_letter)]
    async fn add(
        &mut self,
        record: &Record,
        Json(order): Json<Order>,
        shard: &Shard,
        checkpointer: &mut AsyncCheckpointer,
        behind: MillisBehindLatest,
    ) -> Result<(), BoxError> {
        self.cents += later(order.cents).await;
        eprintln!("{:?} {:?} {}", behind, record, shard.id());
        Ok(checkpointer.checkpoint().await?)
    }

    #[on_tick(every = "5s")]
    async fn flush(
        &mut self,
        _: &Shard,
        behind: MillisBehindLatest,
        checkpointer: &mut AsyncCheckpointer,
    ) -> Result<(), CheckpointError> {
        eprintln!("{behind:?}");
        checkpointer.checkpoint().await
    }

    #[on_dead_letter]
    async fn keep(&mut self, letter: &DeadLetter<'_>, record: &Record, _: &Shard) -> Result<(), io::Error> {
        later(eprintln!("{letter:?} {record:?}")).await;
        Ok(())
    }

    #[on_lease_lost]
    async fn forget(&mut self, shard: &Shard) {
        self.cents = later(0).await;
        eprintln!("{}", shard.id());
    }

    #[on_shard_end]
    async fn report(&self, checkpointer: &mut AsyncCheckpointer, _: &Shard) -> Result<(), CheckpointError> {
        eprintln!("{}: {} cents", self.shard, self.cents);
        checkpointer.checkpoint().await
    }

    #[on_shutdown_requested]
    async fn stop(&self, checkpointer: &mut AsyncCheckpointer, _: &Shard) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }
}

async fn later<T>(value: T) -> T {
    value
}
