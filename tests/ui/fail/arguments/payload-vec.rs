// Many payloads.

use kcl::Json;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, orders: Vec<Json<Order>>) {
        eprintln!("{}", orders.len());
    }
}
