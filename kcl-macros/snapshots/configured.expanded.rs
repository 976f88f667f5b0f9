#[cfg(unix)]
mod all_handlers_of_Sum_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_open $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanSum<T>(T);
#[cfg(unix)]
impl __KclSumOpen {
    #[cfg(feature = "init")]
    fn open() -> Self {
        Sum(0)
    }
    #[cfg(feature = "batches")]
    fn add_all(&mut self, records: &[Record]) {
        self.0 += records.len();
    }
    #[cfg(feature = "records")]
    fn add(&mut self, record: &Record) {
        self.0 += 1;
    }
}
#[cfg(unix)]
type __KclSumOpen = Sum;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    #[cfg(feature = "init")]
    use ::kcl::on_init as _;
    #[cfg(feature = "batches")]
    use ::kcl::on_records as _;
    #[cfg(feature = "records")]
    use ::kcl::on_record as _;
    #[cfg(all(feature = "batches", feature = "records", not(any())))]
    const _: () = {
        #[diagnostic::on_unimplemented(
            message = "`add_all` is `#[on_records]` and `add` is `#[on_record]`: a processor can have only one of the two",
            label = "remove one of the two attributes",
            note = "records are handled either one at a time or as a whole batch"
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
    #[cfg(not(any(feature = "batches", feature = "records")))]
    const _: () = {
        #[diagnostic::on_unimplemented(
            message = "`Sum` has neither an `#[on_record]` nor an `#[on_records]` handler",
            label = "put `#[on_record]` on a method such as `fn add(&mut self, record: &Record)`, or `#[on_records]` on one that takes `&[Record]`",
            note = "a processor handles records, one at a time or a batch at a time",
            note = "all handlers of a processor are in one `impl` block, the one with `#[kcl::processor]`"
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
    #[automatically_derived]
    impl ::kcl::Processor for __KclSumOpen {
        #[cfg(feature = "batches")]
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
        #[cfg(all(feature = "records", not(any(feature = "batches"))))]
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
        #[cfg(feature = "batches")]
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_records(__input);
            <() as ::kcl::__private::Outcome>::handled(
                (Self::add_all)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnRecords<'_>>::take(__cx)?,
                ),
            )
        }
        #[cfg(all(feature = "records", not(any(feature = "batches"))))]
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
        #[cfg(not(any(feature = "batches", feature = "records")))]
        fn process_records(
            &mut self,
            _: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            loop {}
        }
    }
    #[cfg(feature = "init")]
    #[automatically_derived]
    impl ::kcl::Initialize for __KclSumOpen
    where
        for<'kcl> __KclSumOpen: ::core::marker::Sized,
    {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            let __cx = &::kcl::__private::on_init(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Constructed<Self>>::constructed((Self::open)())
        }
    }
    #[cfg(not(any(feature = "init")))]
    #[automatically_derived]
    impl ::kcl::Initialize for __KclSumOpen
    where
        for<'kcl> __KclSumOpen: ::core::marker::Sized,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclSumOpen as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<__KclSumOpen>()
}
