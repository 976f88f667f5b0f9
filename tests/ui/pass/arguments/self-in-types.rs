// `Self` and associated types in the types of arguments.

use kcl::{Checkpointer, FromRecord, Record};

trait Takes {
    type Payload: for<'r> FromRecord<'r>;
}

struct Length(usize);

impl FromRecord<'_> for Length {
    type Error = std::convert::Infallible;

    fn from_record(record: &Record) -> Result<Self, Self::Error> {
        Ok(Length(record.data().len()))
    }
}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

impl Takes for Bytes {
    type Payload = Length;
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Length(bytes): <Self as Takes>::Payload, _: &mut Checkpointer) {
        self.bytes += bytes;
    }
}
