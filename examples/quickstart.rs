//! Adds up the orders of a stream: the whole program.

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

    #[on_record]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[on_shard_end]
    fn report(&mut self) {
        eprintln!("{}: {} cents", self.shard, self.cents);
    }
}

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, Fault};
    use serde_json::json;

    use super::*;

    #[test]
    fn orders_add_up() {
        let run = Daemon::new()
            .batch([json!({"cents": 5}), json!({"cents": 7})])
            .batch([json!({"cents": 8})])
            .shard_end()
            .run::<Revenue>();
        run.assert_succeeded();
        run.assert_shard_ended();
        assert_eq!(run.processor().cents, 20);
    }

    #[test]
    fn a_process_that_takes_over_starts_from_zero_after_the_checkpoint() {
        let run = Daemon::new()
            .batch([json!({"cents": 5})])
            .fault(Fault::crash_before_checkpoint())
            .batch([json!({"cents": 7})])
            .run::<Revenue>();
        assert_eq!(run.processor().cents, 7);
        run.assert_checkpoint_at(2);
    }

    #[test]
    fn a_record_that_is_not_an_order_ends_the_process_before_it() {
        let run = Daemon::new().batch([json!({"cents": 5}), json!("five")]).run::<Revenue>();
        run.assert_failed();
        run.assert_checkpoint_at(1);
    }
}
