// A payload that lives for ever.

use kcl::Json;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Json(customer): Json<&'static str>) {
        eprintln!("{customer}");
    }
}
