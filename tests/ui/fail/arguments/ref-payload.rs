// `&Json<T>`.

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
    fn add(&mut self, order: &Json<Order>) {
        eprintln!("{}", order.0.cents);
    }
}
