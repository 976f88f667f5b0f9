// Lifetimes that a handler declares.

use kcl::{Checkpointer, Json, Record, Shard};

#[derive(serde::Deserialize)]
struct Order<'a> {
    customer: &'a str,
}

#[derive(Default)]
struct Last {
    customer: String,
}

#[kcl::processor]
impl Last {
    #[on_record]
    fn keep<'a, 'b>(&mut self, record: &'a Record, Json(order): Json<Order<'a>>, shard: &'b Shard)
    where
        'b: 'a,
    {
        let longest: &'a str = [order.customer, record.partition_key(), shard.id()].iter().max().copied().unwrap_or("");
        self.customer = longest.to_owned();
    }

    #[on_shard_end]
    fn report<'a>(&'a self, checkpointer: &'a mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}
