// A `cfg` on the impl, above and below the attribute.

#![deny(warnings)]

#[cfg(windows)]
#[kcl::processor]
impl NoSuchType {}

#[kcl::processor]
#[cfg(windows)]
impl NoSuchType {
    #[on_record]
    fn count(&mut self, _: &NoSuchRecord) {}
}

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
#[cfg(not(windows))]
impl Count {
    #[on_record]
    fn count(&mut self, _: &kcl::Record) {
        self.records += 1;
    }
}
