impl<T> __KclRevenueTOpen<T> {
    fn open() {}
    fn add(&mut self, records: &[Record]) {}
}
type __KclRevenueTOpen<T> = Revenue<T>;
mod __kcl_open__KclOtherThanRevenue_T_ {
    pub type __KclOtherThanRevenue_T_<T> = T;
}
use __kcl_open__KclOtherThanRevenue_T_::*;
const _: () = {
    #[automatically_derived]
    impl<T> ::kcl::Processor for __KclOtherThanRevenue_T_<__KclRevenueTOpen<T>> {
        fn process_records(
            &mut self,
            _: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::left_to_rustc::<Self>()
        }
    }
    #[automatically_derived]
    impl<T> ::kcl::Initialize for __KclOtherThanRevenue_T_<__KclRevenueTOpen<T>> {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::kcl::__private::left_to_rustc::<Self>()
        }
    }
};
#[allow(unused_imports)]
use ::kcl::__private::stand_in::*;
const _: () = {
    #[diagnostic::on_unimplemented(
        message = "there is no handler `#[on_recrods]`",
        label = "write `#[on_records]`"
    )]
    trait __Rule<__T> {
        const KEPT: ();
    }
    #[diagnostic::do_not_recommend]
    impl __Rule<()> for () {
        const KEPT: () = ();
    }
    fn __mistake<__Here>() {
        let _ = <__Here as __Rule<_>>::KEPT;
    }
};
const _: () = {
    #[diagnostic::on_unimplemented(
        message = "`#[on_init]` constructor `open` must return `Self` or `Result<Self, E>`",
        label = "write `fn open(shard: &Shard) -> Self`",
        note = "the constructor creates the processor"
    )]
    trait __Rule<__T> {
        const KEPT: ();
    }
    #[diagnostic::do_not_recommend]
    impl __Rule<()> for () {
        const KEPT: () = ();
    }
    fn __mistake<__Here>() {
        let _ = <__Here as __Rule<_>>::KEPT;
    }
};
const _: () = {
    #[diagnostic::on_unimplemented(
        message = "a generic processor cannot have a generated `main`",
        label = "write `#[kcl::processor(main = false)]`, and your own `main` that names the type: `fn main() -> std::process::ExitCode {{ kcl::run::<Revenue<...>>() }}`",
        note = "`main` must name one type to run"
    )]
    trait __Rule<__T> {
        const KEPT: ();
    }
    #[diagnostic::do_not_recommend]
    impl __Rule<()> for () {
        const KEPT: () = ();
    }
    fn __mistake<__Here>() {
        let _ = <__Here as __Rule<_>>::KEPT;
    }
};
