// A misspelt type within a payload.

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
    fn add(&mut self, Json(order): Json<Odrer>) {
        let order: Order = order;
        self.cents += order.cents;
    }
}
