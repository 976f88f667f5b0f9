// `impl Trait` inside a type.

use kcl::Json;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Json(value): Json<impl std::fmt::Debug>) {
        eprintln!("{value:?}");
    }
}
