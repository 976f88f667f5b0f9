// A payload that lives forever.

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
