// `impl Trait`.

use kcl::FromRecord;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, payload: impl FromRecord<'static>) {
        drop(payload);
    }
}
