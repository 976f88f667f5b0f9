//! Takes typed payloads: `#[on_record]` and `Json`.

#![expect(dead_code, reason = "the fields show what parsing costs")]

use kcl::Json;

#[derive(serde::Deserialize)]
struct Payload<'a> {
    id: u64,
    cents: i64,
    kind: &'a str,
    fill: &'a str,
}

#[derive(Default)]
struct Processor {
    tally: processors::Tally,
}

#[kcl::processor]
impl Processor {
    #[on_record]
    fn process(&mut self, Json(payload): Json<Payload<'_>>) {
        self.tally.add(payload.fill.as_bytes());
    }

    #[on_lease_lost]
    fn report(&self) {
        self.tally.report();
    }
}
