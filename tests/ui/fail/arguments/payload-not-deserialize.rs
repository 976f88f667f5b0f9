// A payload that cannot be deserialized.

use kcl::Json;

struct Order {
    cents: u64,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Json(order): Json<Order>) {
        eprintln!("{}", order.cents);
    }
}
