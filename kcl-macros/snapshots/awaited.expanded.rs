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
    async fn open(shard: &Shard) -> Result<Self, io::Error> {
        Sample::connect(shard.id()).await
    }
    async fn add(
        &mut self,
        checkpointer: &mut AsyncCheckpointer,
    ) -> Result<(), BoxError> {
        self.database.add().await?;
        Ok(checkpointer.checkpoint().await?)
    }
    fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
    fn forget(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }
    async fn finish(
        &mut self,
        checkpointer: &mut AsyncCheckpointer,
    ) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }
    async fn stop(&self) -> ! {
        exit(3)
    }
}
type __KclSampleOpen = Sample;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_record as _;
    use ::kcl::on_tick as _;
    use ::kcl::on_lease_lost as _;
    use ::kcl::on_shard_end as _;
    use ::kcl::on_shutdown_requested as _;
    #[automatically_derived]
    impl ::kcl::AsyncProcessor for __KclSampleOpen {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Handler;
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new().retry(3u32);
        const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::from_millis(30000u64),
        );
        const TICK: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::from_millis(5000u64),
        );
        async fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(async |__cx| <::kcl::__private::Inferred<
                    _,
                > as ::kcl::__private::Outcome>::handled(
                    (Self::add)(
                            self,
                            <::kcl::__private::Inferred<
                                _,
                            > as ::kcl::__private::Awaited<'_, _>>::take(__cx)?,
                        )
                        .await,
                ))
                .await
        }
        async fn lease_lost(
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
        async fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            use ::kcl::__private::Unchecked as _;
            let __cx = &::kcl::__private::on_shard_end(__input);
            ::kcl::__private::Returned(
                    (Self::finish)(
                            self,
                            <::kcl::__private::Inferred<
                                _,
                            > as ::kcl::__private::Awaited<'_, _>>::take(__cx)?,
                        )
                        .await,
                )
                .__handled()
        }
        #[allow(unreachable_code)]
        async fn shutdown_requested(
            &mut self,
            __input: &mut ::kcl::ShutdownRequested<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shutdown_requested(__input);
            <() as ::kcl::__private::Outcome>::handled((Self::stop)(self).await)
        }
        async fn tick(
            &mut self,
            __input: &mut ::kcl::Tick<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            let __input = &mut __input.blocking();
            let __cx = &::kcl::__private::on_tick(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::flush)(
                    self,
                    <::kcl::__private::Inferred<
                        _,
                    > as ::kcl::__private::OnTick<'_>>::take(__cx)?,
                ),
            )
        }
    }
    #[automatically_derived]
    impl ::kcl::AsyncInitialize for __KclSampleOpen
    where
        for<'kcl> __KclSampleOpen: ::core::marker::Sized,
    {
        async fn initialize(__input: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
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
                    )
                    .await,
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run_async::<__KclSampleOpen>()
}
