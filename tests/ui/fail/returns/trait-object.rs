// A handler returns a trait object by value.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, _: &Record) -> dyn std::error::Error {
        todo!()
    }
}
