// `on_undecodable` for a payload that is never undecodable.

use kcl::Json;

#[derive(Default)]
struct Sum {
    sum: u64,
}

#[kcl::processor]
impl Sum {
    #[on_record(on_undecodable = skip)]
    fn add(&mut self, value: Option<Json<u64>>) {
        self.sum += value.map_or(0, |Json(value)| value);
    }
}
