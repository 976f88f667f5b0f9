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
    use kcl::protocol::{Message, Reply, WireRecord};
    use kcl::{BoxError, Position, RunError, Runner};

    use super::*;

    /// Plays the MultiLangDaemon's part for a shard with these records, read to its end. Returns the processor's replies and its
    /// result.
    fn process(records: &[&str]) -> (Vec<Reply>, Result<(), RunError>) {
        let records = (1_u64..).zip(records).map(|(number, data)| WireRecord {
            data: data.as_bytes(),
            partition_key: "key",
            sequence_number: number.into(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        });
        let checkpointed = Message::Checkpoint { sequence_number: None, sub_sequence_number: None, error: None };
        let messages = [
            Message::Initialize { shard_id: "shardId-000000000000".to_owned(), position: Position::TrimHorizon },
            Message::ProcessRecords { records: WireRecord::into_batch(records), millis_behind_latest: Some(0) },
            checkpointed.clone(),
            Message::ShardEnded,
            checkpointed,
        ];
        let input: String = messages.iter().map(|message| serde_json::to_string(message).unwrap() + "\n").collect();
        let mut output = Vec::new();
        let ended = Runner::new(|_| Ok::<_, BoxError>(Totals::default())).run_on(input.as_bytes(), &mut output);
        let replies = output.split_inclusive(|&byte| byte == b'\n').map(|line| Reply::from_line(line).unwrap());
        (replies.collect(), ended)
    }

    fn status(of: &str) -> Reply {
        Reply::Status { response_for: Some(of.to_owned()) }
    }

    #[test]
    fn what_a_customer_pays_adds_up() {
        let mut totals = Totals::default();
        for (customer, cents) in [("ada", 7), ("bob", 8), ("ada", 9)] {
            totals.add(Json(Order { customer: customer.to_owned(), cents }));
        }
        assert_eq!(totals.cents, BTreeMap::from([("ada".to_owned(), 16), ("bob".to_owned(), 8)]));
    }

    #[test]
    fn a_shard_is_processed_to_its_end() {
        let lines: Vec<_> = include_str!("../orders.jsonl").lines().collect();
        let (replies, ended) = process(&lines);
        ended.unwrap();
        let checkpoint = || Reply::Checkpoint { sequence_number: None, sub_sequence_number: None };
        let expected =
            [status("initialize"), checkpoint(), status("processRecords"), checkpoint(), status("shardEnded")];
        assert_eq!(replies, expected);
    }

    #[test]
    fn a_record_that_is_not_an_order_is_not_acknowledged() {
        let (replies, ended) = process(&[r#"{"customer":"ada","cents":7}"#, "not an order"]);
        assert!(ended.is_err());
        assert!(!replies.contains(&status("processRecords")));
    }
}
