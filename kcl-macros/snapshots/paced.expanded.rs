impl Sum {
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl ::kcl::Processor for Sum {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Records(1000u64);
        const WARN_AFTER: ::core::time::Duration = ::core::time::Duration::from_millis(
            300000u64,
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| {
                    let __a1 = <&Record as ::kcl::__private::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::add(self, __a1);
                    <() as ::kcl::__private::Outcome>::handled(__result)
                })
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sum {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Sum as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
    const _: () = {
        let _ = ((::kcl::__private::Takes::NOTHING)
            .and(<::kcl::__private::probe::OnRecord<'_, &Record>>::TAKES))
            .no_checkpointer();
    };
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sum>()
}
