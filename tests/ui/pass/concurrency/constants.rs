// The values of options in constants.

use std::time::Duration;

use kcl::{AsyncProcessor, Concurrency, Order, Record};

mod limits {
    pub const AT_ONCE: u32 = 65_536;
    pub const AHEAD: u32 = 0;
    pub const BYTES: u64 = 1;
}

const DRAIN: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    const LIMIT: Duration = Duration::from_secs(1);

    #[on_record(
        concurrency = limits::AT_ONCE,
        order = none,
        ahead = limits::AHEAD,
        ahead_bytes = limits::BYTES,
        drain = DRAIN,
        timeout = Self::LIMIT
    )]
    async fn add(&self, _: &Record) {}
}

const _WRITTEN: Option<Concurrency> = <Bytes as AsyncProcessor>::CONCURRENCY;

#[derive(Default)]
struct Sizes;

#[kcl::processor(main = false)]
impl Sizes {
    #[on_record(concurrency = 64, ahead = 3, ahead_bytes = 1_000_000)]
    async fn add(&self, _: &Record) {}
}

fn _values() {
    let by_hand = Concurrency::new(65_536).order(Order::None).ahead(0).ahead_bytes(1).drain(DRAIN);
    assert_eq!(_WRITTEN, Some(by_hand));
    assert_eq!(Sizes::CONCURRENCY, Some(Concurrency::new(64).ahead(3).ahead_bytes(1_000_000)));
}
