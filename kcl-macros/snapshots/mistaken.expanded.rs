impl<T> Revenue<T> {
    fn open() {}
    fn add(&mut self, records: &[Record]) {}
}
const _: () = {
    #[automatically_derived]
    impl<T> ::kcl::Processor for Revenue<T> {
        fn process_records(
            &mut self,
            _: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::left_to_rustc::<Self>()
        }
    }
    #[automatically_derived]
    impl<T> ::kcl::Initialize for Revenue<T> {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::kcl::__private::left_to_rustc::<Self>()
        }
    }
};
fn main() {}
::core::compile_error! {
    "there is no handler `#[on_recrods]`\n= help: write `#[on_records]`"
}
::core::compile_error! {
    "`#[on_init]` constructor `open` must return `Self` or `Result<Self, E>`\n= note: the constructor creates the processor\n= help: write `fn open(shard: &Shard) -> Self`"
}
::core::compile_error! {
    "a generic processor cannot have a generated `main`\n= note: `main` must name one type to run\n= help: write `#[kcl::processor(main = false)]`, and your own `main` that names the type: `fn main() -> std::process::ExitCode { kcl::run::<Revenue<...>>() }`"
}
