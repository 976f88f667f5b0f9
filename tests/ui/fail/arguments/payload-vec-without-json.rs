// Many payloads without `Json`.

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, orders: Vec<Order>) {
        eprintln!("{}", orders.iter().map(|order| order.cents).sum::<u64>());
    }
}
