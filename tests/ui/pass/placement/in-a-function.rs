// A processor inside a function.

fn main() -> std::process::ExitCode {
    #[derive(Default)]
    struct Count {
        records: usize,
    }

    #[kcl::processor(main = false)]
    impl Count {
        #[on_record]
        fn count(&mut self, _: &kcl::Record) {
            self.records += 1;
        }
    }

    kcl::run::<Count>()
}
