// A payload in a `Result` whose error is a number.

use kcl::Json;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, order: Result<Json<Order>, u8>) {
        let _ = order.map(|Json(order)| order.cents);
    }
}
