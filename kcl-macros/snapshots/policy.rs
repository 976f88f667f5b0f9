#[kcl::processor]
impl Sum {
    #[on_records(retry = 3, backoff = "200ms..5s", on_failure = skip, bisect, on_undecodable = dead_letter)]
    fn add(&mut self, orders: Vec<(&Record, Json<Order>)>) -> Result<(), io::Error> {
        self.0.add(orders)
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter) -> Result<(), io::Error> {
        self.0.keep(letter)
    }
}
