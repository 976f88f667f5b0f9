// A generic handler.

use kcl::Json;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add<T: serde::de::DeserializeOwned + std::fmt::Debug>(&mut self, Json(value): Json<T>) {
        eprintln!("{value:?}");
    }
}
