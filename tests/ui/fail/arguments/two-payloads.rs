// Two payloads.

use kcl::Json;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(serde::Deserialize)]
struct Customer {
    name: String,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Json(order): Json<Order>, Json(customer): Json<Customer>) {
        eprintln!("{} {}", order.cents, customer.name);
    }
}
