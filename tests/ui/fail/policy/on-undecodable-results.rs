// `on_undecodable` for a batch of payloads that are never undecodable.

use kcl::{BoxError, Json, Record};

#[derive(Default)]
struct Sum {
    sum: u64,
}

#[kcl::processor]
impl Sum {
    #[on_records(on_undecodable = skip)]
    fn add(&mut self, values: Vec<(&Record, Result<Json<u64>, BoxError>)>) {
        self.sum += values.into_iter().filter_map(|(_, value)| value.ok()).map(|Json(value)| value).sum::<u64>();
    }
}
