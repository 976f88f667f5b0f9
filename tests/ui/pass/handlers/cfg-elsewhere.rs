// Handlers with a `cfg` that is false.

#![deny(warnings)]

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[cfg(windows)]
    #[on_init]
    fn open(handle: NoSuchType) -> Self {
        Count { records: handle.records() }
    }

    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }

    #[cfg(windows)]
    #[on_shard_end]
    fn report(&self, first: &NoSuchType, second: &mut NoSuchType) -> NoSuchResult {
        first.report(second)
    }

    #[cfg(windows)]
    #[on_records]
    fn count_all(&mut self, _: &[NoSuchType]) {}
}
