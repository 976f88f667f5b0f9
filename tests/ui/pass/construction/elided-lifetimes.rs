// Elided lifetimes in the type of a processor without `main` and `#[on_init]`.

use kcl::Record;

#[derive(Default)]
struct Last<'a, 'b, T> {
    name: &'a str,
    value: Option<&'b str>,
    last: Option<T>,
}

#[kcl::processor(main = false)]
impl<T: From<Vec<u8>>> Last<'_, '_, T> {
    #[on_record]
    fn keep(&mut self, record: &Record) {
        eprintln!("{} {:?}", self.name, self.value);
        self.last = Some(record.data().to_vec().into());
    }
}

#[derive(Default)]
struct Count<'a>(usize, &'a str);

#[kcl::processor(main = false)]
impl Count<'_> {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.0 += self.1.len();
    }
}

fn main() {
    let _ = (kcl::run::<Last<'_, '_, Vec<u8>>>, kcl::run::<Count<'_>>);
}
