// A `cfg` that leaves no `#[on_dead_letter]` handler.

use kcl::{Json, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Revenue { cents: 0 }
    }

    #[on_record(retry = 3, on_failure = dead_letter, on_undecodable = dead_letter)]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[cfg(windows)]
    #[on_dead_letter]
    fn keep(&mut self, letter: &kcl::DeadLetter) {
        eprintln!("{}", letter.error());
    }
}
