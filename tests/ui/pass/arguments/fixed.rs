// A handler whose arguments have types from its list.

use kcl::{CheckpointError, Checkpointer, Json, MillisBehindLatest, Record, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(
        &mut self,
        record: &Record,
        Json(order): Json<Order>,
        checkpointer: &mut Checkpointer,
        shard: &Shard,
        MillisBehindLatest(behind): MillisBehindLatest,
    ) -> Result<(), CheckpointError> {
        self.cents += order.cents;
        eprintln!("{} {} {behind:?}", shard.id(), record.sequence_number());
        checkpointer.checkpoint()
    }
}
