// A dead letter handler with a value that would be discarded.

use kcl::dead_letter::JsonLines;
use kcl::{DeadLetter, Json, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

struct Revenue {
    cents: u64,
    dead_letters: JsonLines,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(shard: &Shard) -> std::io::Result<Self> {
        Ok(Revenue { cents: 0, dead_letters: JsonLines::open("dead-letters", shard)? })
    }

    #[on_record(retry = 3, on_failure = dead_letter, on_undecodable = dead_letter)]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter) -> std::io::Result<bool> {
        self.dead_letters.write(letter).map(|()| true)
    }
}
