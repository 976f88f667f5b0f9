// A payload without `Json`.

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, order: Order) {
        eprintln!("{}", order.cents);
    }
}
