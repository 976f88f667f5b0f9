// A plain method, whose body may use a `Result` in any way.

use kcl::{BoxError, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
    kept: Vec<Record>,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), BoxError> {
        let text = std::str::from_utf8(record.data())?;
        self.bytes += text.len();
        self.kept.push(record.clone());
        Ok(())
    }
}
