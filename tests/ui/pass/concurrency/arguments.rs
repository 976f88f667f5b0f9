// Everything that handlers can take beside concurrency, blocking and `async`.

use std::borrow::Cow;
use std::cell::RefCell;

use kcl::{Checkpointer, DeadLetter, FromRecord, Json, MillisBehindLatest, Record, Shard};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
}

#[derive(Default)]
struct Names {
    names: RefCell<Vec<String>>,
}

#[kcl::processor(checkpoint = "1000 records")]
impl Names {
    #[on_record(concurrency = 1, order = none, on_undecodable = dead_letter)]
    async fn add(
        &self,
        Json(order): Json<Order<'_>>,
        behind: MillisBehindLatest,
        record: &Record,
        shard: &Shard,
    ) -> Result<(), kcl::BoxError> {
        eprintln!("{behind:?} {record:?} {}", shard.id());
        self.names.borrow_mut().push(order.customer.into_owned());
        Ok(())
    }

    #[on_tick(every = "5s")]
    async fn report(&self, behind: MillisBehindLatest, shard: &Shard) {
        eprintln!("{behind:?} {}", shard.id());
    }

    #[on_dead_letter]
    fn keep(&self, letter: &DeadLetter<'_>, record: &Record, _: &Shard) {
        eprintln!("{letter:?} {record:?}");
    }

    #[on_shutdown_requested]
    fn stop(&mut self) {}

    #[on_shard_end]
    fn finish(&mut self, _: &Shard, _: &mut Checkpointer) {}
}

struct Line<'r>(&'r [u8]);

impl<'r> FromRecord<'r> for Line<'r> {
    type Error = std::convert::Infallible;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        Ok(Line(record.data()))
    }
}

#[derive(Default)]
struct Lines;

#[kcl::processor(main = false)]
impl Lines {
    #[on_record(concurrency = 2)]
    async fn add<'a>(self: &Self, line: Line<'a>, _: &'a Record) {
        eprintln!("{:?}", line.0);
    }
}
