// A const generic impl with a generated `main`.

use kcl::Record;

#[derive(Default)]
struct Sampled<const N: usize> {
    seen: usize,
}

#[kcl::processor]
impl<const N: usize> Sampled<N> {
    #[on_record]
    fn sample(&mut self, record: &Record) {
        self.seen += 1;
        if self.seen % N == 0 {
            eprintln!("{record:?}");
        }
    }
}
