// `async` handlers of batches, with borrowed payloads and aliases.

use std::borrow::Cow;

use kcl::{AsyncCheckpointer, FailedRecords, Json, Record};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
}

type Orders<'a> = Vec<(&'a Record, Json<Order<'a>>)>;
type Marks<'a> = &'a mut AsyncCheckpointer;

#[derive(Default)]
struct Names {
    names: Vec<String>,
}

#[kcl::processor]
impl Names {
    #[on_records(retry = 3, backoff = "1s..1m", on_failure = skip, bisect, on_undecodable = skip, timeout = "1m")]
    async fn add<'a>(&mut self, orders: Orders<'a>, marks: Marks<'a>) -> Result<(), FailedRecords> {
        for (record, Json(order)) in orders {
            self.names.push(order.customer.into_owned());
            _ = marks.checkpoint_at(record).await;
        }
        Ok(())
    }
}

mod others {
    use super::*;

    #[derive(Default)]
    pub struct Bytes(usize);

    #[kcl::processor(main = false, checkpoint = "1000 records")]
    impl Bytes {
        #[on_records]
        async fn add(&mut self, records: &[Record]) {
            self.0 += records.len();
        }
    }
}

fn _is_a_processor<P: kcl::AsyncInitialize>() {}

const _: fn() = _is_a_processor::<others::Bytes>;
