// Each action, in any order, for records and for batches, and empty parentheses.

use std::borrow::Cow;

use kcl::{BoxError, DeadLetter, Json, Record};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
}

#[derive(Default)]
struct Each;

#[kcl::processor]
impl Each {
    #[on_record(on_undecodable = dead_letter, on_failure = fail, retry = 0,)]
    fn print(&mut self, Json(order): Json<Order<'_>>) -> Result<(), BoxError> {
        eprintln!("{}", order.customer);
        Ok(())
    }

    #[on_dead_letter]
    fn keep(&self, letter: &DeadLetter) {
        eprintln!("{letter}");
    }
}

#[derive(Default)]
struct Batches;

#[kcl::processor(main = false)]
impl Batches {
    #[on_records(retry = 3, backoff = "1s..1h", on_failure = dead_letter, on_undecodable = skip)]
    fn print(&mut self, orders: Vec<(&Record, Json<Order<'_>>)>) {
        eprintln!("{}", orders.len());
    }

    #[on_dead_letter]
    fn keep(&mut self, record: &Record, letter: &DeadLetter<'_>) -> std::io::Result<()> {
        std::fs::write(record.sequence_number().to_string(), letter.to_string())
    }
}

#[derive(Default)]
struct Plain(usize);

#[kcl::processor(main = false)]
impl Plain {
    #[on_records()]
    fn count(&mut self, records: &[Record]) {
        self.0 += records.len();
    }
}
