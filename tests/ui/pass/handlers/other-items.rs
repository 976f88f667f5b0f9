// Plain methods, constants and macros beside the handlers.

use kcl::Record;

macro_rules! reset {
    () => {
        fn reset(&mut self) {
            self.records = 0;
        }
    };
}

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    const LIMIT: usize = 1_000;

    #[on_record]
    fn count(&mut self, record: &Record) {
        self.add(record);
        if self.is_full() {
            self.reset();
        }
    }

    fn is_full(&self) -> bool {
        self.records >= Self::LIMIT
    }

    fn add<T>(&mut self, _: T) {
        self.records += 1;
    }

    reset!();
}
