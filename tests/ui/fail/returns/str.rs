// A handler returns `str`.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, _: &Record) -> str {
        todo!()
    }
}
