//! A record processor for Amazon Kinesis that sums up what each customer pays.

use std::collections::BTreeMap;

use kcl::{Json, Shard};

/// The content of a record.
#[derive(serde::Deserialize)]
struct Order {
    customer: String,
    cents: u64,
}

/// The state of one shard. Each shard has its own process.
#[derive(Default)]
struct Totals {
    cents: BTreeMap<String, u64>,
}

#[kcl::processor]
impl Totals {
    #[on_record]
    fn add(&mut self, Json(order): Json<Order>) {
        *self.cents.entry(order.customer).or_default() += order.cents;
    }

    #[on_shard_end]
    fn report(&mut self, shard: &Shard) {
        for (customer, cents) in &self.cents {
            eprintln!("{}: {customer} pays {cents} cents", shard.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, Fault, Refusal};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shard_is_processed_to_its_end() {
        let run = Daemon::new()
            .batch(include_str!("../orders.jsonl").lines())
            .shard_end()
            .run::<Totals>();
        run.assert_succeeded();
        run.assert_shard_ended();
        assert_eq!(run.processor().cents["alice"], 1300);
    }

    #[test]
    fn a_process_that_takes_over_continues_after_the_checkpoint() {
        let run = Daemon::new()
            .batch([json!({"customer": "ada", "cents": 7})])
            .fault(Fault::refuse_checkpoints(Refusal::Throttled, 2))
            .batch([json!({"customer": "bob", "cents": 8})])
            .crash()
            .batch([json!({"customer": "ada", "cents": 9})])
            .run::<Totals>();
        run.assert_checkpoint_at(3);
        // Totals in memory belong to one process.
        assert_eq!(
            run.processor().cents,
            BTreeMap::from([("ada".to_owned(), 9)])
        );
    }

    #[test]
    fn a_record_that_is_not_an_order_is_not_acknowledged() {
        let run = Daemon::new()
            .batch([
                json!({"customer": "ada", "cents": 7}),
                json!("not an order"),
            ])
            .run::<Totals>();
        run.assert_failed();
        run.assert_checkpoint_at(1);
        assert_eq!(run.acknowledgements(), ["initialize"]);
    }
}
