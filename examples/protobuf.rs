//! Adds up orders in Protocol Buffers: a payload of one's own, and what happens to records that are none.
//!
//! A crate of one's own can implement `FromRecord` for a type of its own only, so `Proto` stands between `kcl` and `prost`.

use kcl::dead_letter::JsonLines;
use kcl::{DeadLetter, FromRecord, Record, Shard};
use prost::{DecodeError, Message};

/// `message Order { uint64 id = 1; uint64 cents = 2; }`; a build script with `prost-build` writes it from a `.proto` file.
#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    cents: u64,
}

/// A payload in Protocol Buffers, of any message type.
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

    #[on_record(invalid = "dead_letter")]
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
