// A handler that sees undecodable payloads, and typed batches, owned and borrowed.

use std::borrow::Cow;

use kcl::{BoxError, Json, MillisBehindLatest, Record, Shard};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
}

type Payload<'r> = Json<Order<'r>>;

#[derive(Default)]
struct Tolerant {
    bad: u64,
}

#[kcl::processor]
impl Tolerant {
    #[on_record]
    fn print(&mut self, record: &Record, order: Result<Json<Order<'_>>, serde_json::Error>) {
        match order {
            Ok(Json(order)) => eprintln!("{}", order.customer),
            Err(error) => eprintln!("{}: {error}", record.sequence_number()),
        }
    }
}

#[kcl::processor(main = false)]
impl Optional {
    #[on_record]
    fn print(&mut self, order: Option<Payload<'_>>) {
        self.0.bad += u64::from(order.is_none());
    }
}

#[derive(Default)]
struct Optional(Tolerant);

#[derive(Default)]
struct Plain(Vec<String>);

#[kcl::processor(main = false)]
impl Plain {
    #[on_records(on_undecodable = skip)]
    fn keep(&mut self, orders: Vec<Json<Order<'_>>>) {
        self.0.extend(orders.into_iter().map(|Json(order)| order.customer.into_owned()));
    }
}

#[derive(Default)]
struct Batch(Vec<String>);

#[kcl::processor(main = false)]
impl Batch {
    #[on_records]
    fn keep<'r>(
        &mut self,
        shard: &Shard,
        orders: Vec<(&'r Record, Result<Payload<'r>, BoxError>)>,
        _: MillisBehindLatest,
    ) {
        for (record, order) in orders {
            match order {
                Ok(Json(order)) => self.0.push(order.customer.into_owned()),
                Err(error) => eprintln!("{} {}: {error}", shard.id(), record.sequence_number()),
            }
        }
    }
}
