mod all_handlers_of_Sum__27__5f___stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_add $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanSum__27__5f__<T>(T);
impl __KclSumAdd<'_> {
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
type __KclSumAdd<'kcl1> = Sum<'kcl1>;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    const __CHECKPOINT: ::kcl::Checkpoints = PACE;
    const _: () = (::kcl::__private::Given(__CHECKPOINT)).checkpoint();
    const __WARN_AFTER: ::core::time::Duration = limits::SLOW;
    const _: () = (::kcl::__private::Given(__WARN_AFTER)).warn_after();
    const __RETRY: ::core::primitive::u32 = <__KclSumAdd<'_>>::RETRIES;
    const __MOST: ::core::time::Duration = MOST;
    const _: () = (::kcl::__private::Given((
        ::core::time::Duration::from_millis(1000u64),
        __MOST,
    )))
        .backoff();
    #[automatically_derived]
    impl ::kcl::Processor for __KclSumAdd<'_> {
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
    impl ::kcl::Initialize for __KclSumAdd<'_> {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclSumAdd<'_> as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<__KclSumAdd<'_>>()
}
