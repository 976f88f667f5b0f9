// A trait of every type, whose methods have names that generated code could use.

use kcl::{BoxError, Checkpointer, Json, MillisBehindLatest, Record, Shard};

trait Everything: Sized {
    fn value(self) {}
    fn part(self) {}
    fn compared(self) {}
    fn failure(self) {}
    fn decided(self) {}
    fn again(self) {}
    fn beside(self) {}
    fn or(self) {}
    fn handled(self) {}
    fn check(self) {}
    fn take(self) {}
    fn each(self) {}
}

impl<T> Everything for T {}

#[derive(Default)]
struct Sum {
    sum: u64,
}

#[kcl::processor]
impl Sum {
    #[on_record(on_undecodable = skip)]
    fn add(
        &mut self,
        _: &Record,
        Json(number): Json<u64>,
        _: MillisBehindLatest,
        _: &Shard,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), BoxError> {
        self.sum += number;
        Ok(checkpointer.checkpoint()?)
    }

    #[on_tick(every = "5s")]
    fn tick(&mut self, _: &mut Checkpointer) -> Result<(), BoxError> {
        Ok(())
    }
}
