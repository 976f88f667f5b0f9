// A payload in `#[on_records]`.

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
    fn add(&mut self, Json(order): Json<Order>) {
        eprintln!("{}", order.cents);
    }
}
