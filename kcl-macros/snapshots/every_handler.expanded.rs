mod all_handlers_of_Sample_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_open $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanSample<T>(T);
impl __KclSampleOpen {
    fn open(shard: &Shard) -> Result<Self, io::Error> {
        Ok(Sample {
            file: File::open(shard.id())?,
        })
    }
    fn write(
        &mut self,
        records: &[Record],
        checkpointer: &mut Checkpointer,
    ) -> Result<(), BoxError> {
        self.file.write_all(records)?;
        Ok(checkpointer.checkpoint()?)
    }
    fn flush(
        &mut self,
        behind: MillisBehindLatest,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
    fn forget(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }
    fn finish(
        &mut self,
        shard: &Shard,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
    fn stop(&self) -> ! {
        exit(3)
    }
}
type __KclSampleOpen = Sample;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_records as _;
    use ::kcl::on_tick as _;
    use ::kcl::on_lease_lost as _;
    use ::kcl::on_shard_end as _;
    use ::kcl::on_shutdown_requested as _;
    #[automatically_derived]
    impl ::kcl::Processor for __KclSampleOpen {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let _ = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnTick::new();
                let __p2 = ::kcl::__private::probe::OnTick::new();
                let _ = (Self::flush)(__this, (__p1).__value(), (__p2).__value());
                let __t1 = (__p1).__part();
                let __t2 = (__p2).__part();
                use ::kcl::__private::Compared as _;
                ::kcl::__private::TakenOnce::check(
                    (::kcl::__private::pair(&__t2, &__t1)).__compared(),
                );
                (__t1, (__t2, ()))
            };
            ::kcl::Checkpoints::Handler
        };
        const TICK: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::from_millis(5000u64),
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_records(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::write)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnRecords<'_>>::take(__cx)?,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnRecords<'_>>::take(__cx)?,
                ),
            )
        }
        fn lease_lost(
            &mut self,
            __input: &mut ::kcl::LeaseLost<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_lease_lost(__input);
            <() as ::kcl::__private::Outcome>::handled(
                (Self::forget)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnLeaseLost<'_>>::take(__cx)?,
                ),
            )
        }
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::__private::Handled {
            use ::kcl::__private::Unchecked as _;
            let __cx = &::kcl::__private::on_shard_end(__input);
            ::kcl::__private::Returned(
                    (Self::finish)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnShardEnd<'_>>::take(__cx)?,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnShardEnd<'_>>::take(__cx)?,
                    ),
                )
                .__handled()
        }
        #[allow(unreachable_code)]
        fn shutdown_requested(
            &mut self,
            __input: &mut ::kcl::ShutdownRequested<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shutdown_requested(__input);
            <() as ::kcl::__private::Outcome>::handled((Self::stop)(self))
        }
        fn tick(&mut self, __input: &mut ::kcl::Tick<'_>) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_tick(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::flush)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnTick<'_>>::take(__cx)?,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnTick<'_>>::take(__cx)?,
                ),
            )
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for __KclSampleOpen
    where
        for<'kcl> __KclSampleOpen: ::core::marker::Sized,
    {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            let __cx = &::kcl::__private::on_init(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Constructed<
                Self,
            >>::constructed(
                (Self::open)(
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnInit<'_>>::take(__cx)?,
                ),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<__KclSampleOpen>()
}
