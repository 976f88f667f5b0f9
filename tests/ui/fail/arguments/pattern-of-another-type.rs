// The pattern of a `Json`, with the type of what it contains.

use kcl::Json;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, Json(order): Order) {
        self.cents += order.cents;
    }
}
