// A payload that borrows from its record.

use std::borrow::Cow;

use kcl::{Json, Record};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
}

#[derive(Default)]
struct Last {
    customer: String,
}

#[kcl::processor]
impl Last {
    #[on_record]
    fn keep(&mut self, Json(order): Json<Order<'_>>, record: &Record) {
        self.customer = format!("{} {}", order.customer, record.partition_key());
    }
}
