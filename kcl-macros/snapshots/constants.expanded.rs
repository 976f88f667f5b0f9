impl Sum<'_> {
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
const _: () = {
    use ::kcl::on_record as _;
    const __CHECKPOINT: ::kcl::Checkpoints = PACE;
    const _: () = (::kcl::__private::Given(__CHECKPOINT)).checkpoint();
    const __WARN_AFTER: ::core::time::Duration = limits::SLOW;
    const _: () = (::kcl::__private::Given(__WARN_AFTER)).warn_after();
    const __RETRY: ::core::primitive::u32 = <Sum<'_>>::RETRIES;
    const __MOST: ::core::time::Duration = MOST;
    const _: () = (::kcl::__private::Given((
        ::core::time::Duration::from_millis(1000u64),
        __MOST,
    )))
        .backoff();
    #[automatically_derived]
    impl ::kcl::Processor for Sum<'_> {
        const CHECKPOINTS: ::kcl::Checkpoints = __CHECKPOINT;
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new()
            .retry(__RETRY)
            .backoff(::core::time::Duration::from_millis(1000u64), __MOST);
        const WARN_AFTER: ::core::time::Duration = __WARN_AFTER;
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
    impl ::kcl::Initialize for Sum<'_> {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Sum<'_> as ::kcl::__private::OnInitOrDefault<'_>>::make(),
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
    ::kcl::run::<Sum<'_>>()
}
