impl Sum<'_> {
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
#[allow(clippy::absolute_paths, clippy::question_mark_used)]
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
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let _ = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnRecord::new();
                let _ = (Self::add)(__this, (__p1).value());
                let __t1 = (__p1).part();
                ::kcl::__private::LeavesCheckpoints::check((__t1).again());
                (__t1, ())
            };
            __CHECKPOINT
        };
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new()
            .retry(__RETRY)
            .backoff(::core::time::Duration::from_millis(1000u64), __MOST);
        const WARN_AFTER: ::core::time::Duration = __WARN_AFTER;
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| <() as ::kcl::__private::Outcome>::handled(
                    (Self::add)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnRecord<'_>>::take(__cx)?,
                    ),
                ))
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
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sum<'_>>()
}
