// Names that differ only in what a generated name may not contain.

use kcl::Record;

#[derive(Default)]
struct Zähler;

#[derive(Default)]
struct Zöhler;

#[derive(Default)]
struct Unit<const SIGN: char>;

#[kcl::processor(main = false)]
impl Zähler {
    #[on_record]
    fn count(&mut self, _: &Record) {}
}

#[kcl::processor(main = false)]
impl Zöhler {
    #[on_record]
    fn count(&mut self, _: &Record) {}
}

#[kcl::processor(main = false)]
impl Unit<'²'> {
    #[on_record]
    fn count(&mut self, _: &Record) {}
}

#[kcl::processor]
impl Unit<'³'> {
    #[on_record]
    fn count(&mut self, _: &Record) {}
}
