// A checkpointer in a tick, and a payload in the record handler.

use kcl::{Checkpointer, Json};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, Json(bytes): Json<usize>) {
        self.bytes += bytes;
    }

    #[on_tick(every = "5s")]
    fn report(&self, _: &mut Checkpointer) {
        eprintln!("{} bytes", self.bytes);
    }
}
