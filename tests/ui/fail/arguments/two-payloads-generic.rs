// Two payloads, in a generic processor.

use kcl::Json;
use serde::de::DeserializeOwned;

#[derive(Default)]
struct Last<T> {
    value: Option<T>,
}

#[kcl::processor(main = false)]
impl<T: DeserializeOwned> Last<T> {
    #[on_record]
    fn keep(&mut self, Json(value): Json<T>, Json(weight): Json<u64>) {
        self.value = Some(value).filter(|_| weight > 0);
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Last<u64>>()
}
