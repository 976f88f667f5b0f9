//! Adds up orders in Protocol Buffers: shows a custom payload type, and dead-letters records that cannot be decoded.
//!
//! A crate can implement `FromRecord` only for its own types, so the type `Proto` connects `kcl` and `prost`.
//!
//! The file holds messages in base64, and one record that is not a message. That record becomes a dead letter, in the folder `dead-letters`.
//!
//! ```console
//! $ cargo kcl local --package examples-protobuf --example protobuf --format json --input examples/data/orders-protobuf.jsonl
//! ```

use kcl::dead_letter::JsonLines;
use kcl::{DeadLetter, FromRecord, Record, Shard};
use prost::{DecodeError, Message};

/// `message Order { uint64 id = 1; uint64 cents = 2; }`. A build script with `prost-build` can generate it from a `.proto` file.
#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    cents: u64,
}

/// A Protocol Buffers payload of any message type.
struct Proto<T>(T);

impl<'r, T: Message + Default> FromRecord<'r> for Proto<T> {
    type Error = DecodeError;

    fn from_record(record: &'r Record) -> Result<Self, DecodeError> {
        T::decode(record.data()).map(Proto)
    }
}

struct Revenue {
    shard: String,
    cents: u64,
    dead_letters: JsonLines,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(shard: &Shard) -> std::io::Result<Self> {
        Ok(Revenue { shard: shard.id().to_owned(), cents: 0, dead_letters: JsonLines::open("dead-letters", shard)? })
    }

    #[on_record(on_undecodable = dead_letter)]
    fn add(&mut self, Proto(order): Proto<Order>) {
        self.cents += order.cents;
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'_>) -> std::io::Result<()> {
        self.dead_letters.write(letter)
    }

    #[on_shard_end]
    fn report(&mut self) {
        eprintln!("{}: {} cents", self.shard, self.cents);
    }
}

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, TestRecord};

    use super::*;

    #[test]
    fn orders_add_up_and_other_records_are_kept() {
        let order = |id, cents| TestRecord::bytes(Order { id, cents }.encode_to_vec());
        let folder = tempfile::tempdir().unwrap();
        let run = Daemon::new()
            .batch([order(1, 5), TestRecord::text("not an order"), order(2, 7)])
            .shard_end()
            .run_with(|shard: &Shard| {
                let dead_letters = JsonLines::open(folder.path(), shard)?;
                Ok::<_, std::io::Error>(Revenue { shard: shard.id().to_owned(), cents: 0, dead_letters })
            });
        run.assert_succeeded();
        run.assert_shard_ended();
        assert_eq!(run.processor().cents, 12);
        assert_eq!(run.dead_letters()[0].0, 2);
        // A file of dead letters can be delivered again.
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(TestRecord::read_json_lines(file.path()).len(), 1);
    }
}
