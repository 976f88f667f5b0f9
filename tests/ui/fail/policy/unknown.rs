// A record handler with an option that does not exist.

use kcl::{Json, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

struct Revenue {
    shard: String,
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Revenue { shard: shard.id().to_owned(), cents: 0 }
    }

    #[on_record(warn = "5s")]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{}: {} cents", self.shard, self.cents);
    }
}
