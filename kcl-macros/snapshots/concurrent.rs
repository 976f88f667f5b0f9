#[kcl::processor(runtime = multi_thread, worker_threads = limits::THREADS)]
impl Revenue {
    #[on_record(
        retry = 3,
        on_failure = dead_letter,
        concurrency = 64,
        order = partition_key,
        ahead = limits::AHEAD,
        ahead_bytes = "1 GiB",
        timeout = "30s",
        drain = limits::DRAIN,
    )]
    async fn add(&self, Json(order): Json<Order>) -> Result<(), BoxError> {
        self.database.add(order).await
    }

    #[on_tick(every = "5s")]
    fn report(&self) {
        eprintln!("{}", self.database.len());
    }

    #[on_dead_letter]
    async fn keep(&self, letter: &DeadLetter) -> Result<(), io::Error> {
        self.database.keep(letter).await
    }

    #[on_shutdown_requested]
    async fn stop(&mut self, shard: &Shard) -> Result<(), BoxError> {
        self.database.close().await
    }
}
