// Dead letters in one configuration only.

#[cfg(windows)]
use kcl::DeadLetter;
use kcl::{Json, Shard};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[allow(dead_code)]
struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(_: &Shard) -> Self {
        Revenue { cents: 0 }
    }

    #[cfg(windows)]
    #[on_record(on_failure = dead_letter)]
    fn add_or_keep(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }

    #[cfg(windows)]
    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter) {
        eprintln!("{}", letter.error());
    }

    #[cfg(not(windows))]
    #[on_record]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }
}
