// `&dyn Trait`.

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, value: &dyn std::fmt::Debug) {
        eprintln!("{value:?}");
    }
}
