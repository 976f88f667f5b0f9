impl Count {
    fn count(&mut self) {
        self.records += 1;
    }
}
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl ::kcl::Processor for Count {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::__private::checkpoints(&[]);
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| {
                    let __result = Self::count(self);
                    <() as ::kcl::__private::Outcome>::handled(__result)
                })
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Count {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Count as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Count>()
}
