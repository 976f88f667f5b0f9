mod all_handlers_of_Sum_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_add $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanSum<T>(T);
impl __KclSumAdd {
    fn add(&mut self, orders: Vec<(&Record, Json<Order>)>) -> Result<(), io::Error> {
        self.0.add(orders)
    }
    fn keep(&mut self, letter: &DeadLetter) -> Result<(), io::Error> {
        self.0.keep(letter)
    }
}
type __KclSumAdd = Sum;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_records as _;
    use ::kcl::on_dead_letter as _;
    #[automatically_derived]
    impl ::kcl::Processor for __KclSumAdd {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let __records = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnRecords::new();
                let _ = (Self::add)(__this, (__p1).__value());
                let __t1 = (__p1).__part();
                use ::kcl::__private::Decided as _;
                ::kcl::__private::Undecodable::check(
                    (::kcl::__private::NoPayload.or(__t1.__failure())).__decided(),
                );
                (__t1, ())
            };
            ::kcl::__private::checkpoints(&__records)
        };
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new()
            .retry(3u32)
            .backoff(
                ::core::time::Duration::from_millis(200u64),
                ::core::time::Duration::from_millis(5000u64),
            )
            .on_failure(::kcl::FailureAction::Skip)
            .bisect()
            .on_undecodable(::kcl::FailureAction::DeadLetter);
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_records(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::add)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnRecords<'_>>::take(__cx)?,
                ),
            )
        }
        fn dead_letter(
            &mut self,
            __input: &::kcl::DeadLetter<'_>,
        ) -> ::kcl::__private::Handled {
            use ::kcl::__private::Unchecked as _;
            let __cx = &::kcl::__private::on_dead_letter(__input);
            ::kcl::__private::Returned(
                    (Self::keep)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnDeadLetter<'_>>::take(__cx)?,
                    ),
                )
                .__handled()
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for __KclSumAdd
    where
        for<'kcl> __KclSumAdd: ::core::marker::Sized,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclSumAdd as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<__KclSumAdd>()
}
