// Patterns in arguments.

use kcl::{Json, MillisBehindLatest, Record, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

struct Sum(u64);

#[kcl::processor]
impl Sum {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Self(0)
    }

    #[on_record]
    fn add(
        &mut self,
        Json(Order { cents }): Json<Order>,
        _: &Record,
        MillisBehindLatest(mut behind): MillisBehindLatest,
    ) {
        self.0 += cents + behind.take().map_or(0, |behind| behind.as_secs());
    }
}
