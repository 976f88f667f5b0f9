// A processor in a module, with `main = false`.

mod orders {
    use kcl::Record;

    #[derive(Default)]
    pub struct Count {
        records: usize,
    }

    #[kcl::processor(main = false)]
    impl Count {
        #[on_record]
        fn count(&mut self, _: &Record) {
            self.records += 1;
        }
    }
}

fn main() -> std::process::ExitCode {
    kcl::run::<orders::Count>()
}
