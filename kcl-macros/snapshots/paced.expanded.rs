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
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
    fn report(&self, behind: MillisBehindLatest) {
        eprintln!("{} bytes", self.0);
    }
}
type __KclSumAdd = Sum;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    use ::kcl::on_tick as _;
    const __EVERY: ::core::time::Duration = limits::PACE;
    const _: () = (::kcl::__private::Given(__EVERY)).every();
    #[automatically_derived]
    impl ::kcl::Processor for __KclSumAdd {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let __records = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnRecord::new();
                let _ = (Self::add)(__this, (__p1).__value());
                let __t1 = (__p1).__part();
                (__t1, ())
            };
            let _ = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnTick::new();
                let _ = (Self::report)(__this, (__p1).__value());
                let __t1 = (__p1).__part();
                ::kcl::__private::TickCheckpoints::check((__t1).__beside(&__records));
                (__t1, ())
            };
            ::kcl::Checkpoints::Records(1000u64)
        };
        const TICK: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            __EVERY,
        );
        const WARN_AFTER: ::core::time::Duration = ::core::time::Duration::from_millis(
            300000u64,
        );
        const LOG_PAYLOADS: ::core::primitive::bool = false;
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
        fn tick(&mut self, __input: &mut ::kcl::Tick<'_>) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_tick(__input);
            <() as ::kcl::__private::Outcome>::handled(
                (Self::report)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnTick<'_>>::take(__cx)?,
                ),
            )
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
