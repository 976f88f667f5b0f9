// A checkpointer in the tick of a generic processor only.

use kcl::{Checkpointer, Json};
use serde::de::DeserializeOwned;

struct Last<T> {
    last: Option<T>,
}

#[kcl::processor(main = false)]
impl<T: DeserializeOwned> Last<T> {
    #[on_record]
    fn keep(&mut self, Json(value): Json<T>) {
        self.last = Some(value);
    }

    #[on_tick(every = "5s")]
    fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}

fn main() {}
