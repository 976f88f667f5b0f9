//! The speed of the kit, measured on demand.

use std::time::Instant;

use kcl::testing::Daemon;
use kcl::{Json, Shard};
use serde_json::json;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

/// The processor of the quickstart.
struct Revenue {
    shard: String,
    cents: u64,
}

#[kcl::processor(main = false)]
impl Revenue {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Revenue { shard: shard.id().to_owned(), cents: 0 }
    }

    #[on_record]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[on_shard_end]
    fn report(&mut self) {
        eprintln!("{}: {} cents", self.shard, self.cents);
    }
}

const SCHEDULES: u32 = 4_000;

#[kcl::test(schedules = SCHEDULES)]
#[ignore = "a part of the measurement"]
fn the_quickstart(daemon: Daemon) {
    let run = daemon.records((0..20).map(|n| json!({ "cents": n }))).run::<Revenue>();
    run.assert_succeeded();
}

#[test]
#[ignore = "measures: cargo test -p tests --test testing -- --ignored --nocapture --exact speed::schedules_a_second"]
fn schedules_a_second() {
    let start = Instant::now();
    the_quickstart();
    eprintln!("{:.0} schedules a second", f64::from(SCHEDULES) / start.elapsed().as_secs_f64());
}
