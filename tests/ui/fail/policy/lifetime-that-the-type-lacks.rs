// A lifetime argument for a type without one, beside the option `on_undecodable`.

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
impl<'a> Revenue<'a> {
    #[on_record(on_undecodable = skip)]
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }
}
