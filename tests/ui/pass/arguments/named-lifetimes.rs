// Lifetimes that a handler declares.

use std::borrow::Cow;

use kcl::{Checkpointer, Json, Record, Shard};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
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
        let longest: &'a str = record.partition_key().max(shard.id());
        self.customer = order.customer.max(Cow::Borrowed(longest)).into_owned();
    }

    #[on_shard_end]
    fn report<'a>(&'a self, checkpointer: &'a mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}
