// A const generic processor.

use kcl::Record;

#[derive(Default)]
struct Sampled<const N: usize> {
    seen: usize,
}

#[kcl::processor(main = false)]
impl<const N: usize> Sampled<N> {
    #[on_record]
    fn sample(&mut self, _: &Record) {
        self.seen += N;
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<Sampled<10>>()
}
