// A payload is `Json<str>`.

use kcl::Json;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, text: Json<str>) {
        let _ = text;
    }
}
