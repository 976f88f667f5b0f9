// Deprecated handlers, payloads and processors do not warn in generated code.

#![deny(warnings)]

use kcl::{Json, Shard};

#[deprecated]
#[derive(serde::Deserialize)]
struct Order {
    #[allow(dead_code)]
    cents: u64,
}

#[deprecated]
struct Revenue;

#[allow(deprecated)]
#[kcl::processor]
impl Revenue {
    #[on_init]
    #[deprecated]
    fn open(_: &Shard) -> Self {
        Revenue
    }

    #[on_record]
    #[deprecated = "not in use"]
    fn add(&mut self, _: Json<Order>) {}
}
