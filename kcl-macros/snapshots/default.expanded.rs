mod all_handlers_of_Count_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_count $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanCount<T>(T);
impl __KclCountCount {
    fn count(&mut self) {
        self.records += 1;
    }
}
type __KclCountCount = Count;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl ::kcl::Processor for __KclCountCount {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| <() as ::kcl::__private::Outcome>::handled(
                    (Self::count)(self),
                ))
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for __KclCountCount
    where
        for<'kcl> __KclCountCount: ::core::marker::Sized,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclCountCount as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<__KclCountCount>()
}
