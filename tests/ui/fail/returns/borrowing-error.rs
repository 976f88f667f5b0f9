// An error that borrows from the record.

use kcl::Record;

#[derive(Debug)]
struct NotANumber<'a>(&'a str);

impl std::fmt::Display for NotANumber<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not a number", self.0)
    }
}

impl std::error::Error for NotANumber<'_> {}

#[derive(Default)]
struct Total(u64);

#[kcl::processor]
impl Total {
    #[on_record]
    fn add<'r>(&mut self, record: &'r Record) -> Result<(), NotANumber<'r>> {
        let key = record.partition_key();
        self.0 += key.parse::<u64>().map_err(|_| NotANumber(key))?;
        Ok(())
    }
}
