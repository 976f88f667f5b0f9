// A concurrency in a constant of a generic processor.

use std::cell::Cell;
use std::marker::PhantomData;

use kcl::Record;

#[derive(Default)]
struct Bytes<T> {
    bytes: Cell<usize>,
    kind: PhantomData<T>,
}

#[kcl::processor(main = false)]
impl<T> Bytes<T> {
    const AT_ONCE: u32 = 64;

    #[on_record(concurrency = Self::AT_ONCE)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}

fn main() {}
