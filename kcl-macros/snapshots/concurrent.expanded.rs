mod all_handlers_of_Revenue_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_add $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanRevenue<T>(T);
impl __KclRevenueAdd {
    async fn add(&self, Json(order): Json<Order>) -> Result<(), BoxError> {
        self.database.add(order).await
    }
    fn report(&self) {
        eprintln!("{}", self.database.len());
    }
    async fn keep(&self, letter: &DeadLetter) -> Result<(), io::Error> {
        self.database.keep(letter).await
    }
    async fn stop(&mut self, shard: &Shard) -> Result<(), BoxError> {
        self.database.close().await
    }
}
type __KclRevenueAdd = Revenue;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    use ::kcl::on_tick as _;
    use ::kcl::on_dead_letter as _;
    use ::kcl::on_shutdown_requested as _;
    const __WORKER_THREADS: ::core::primitive::usize = limits::THREADS;
    const _: () = (::kcl::__private::Given(__WORKER_THREADS)).worker_threads();
    const __AHEAD: ::core::primitive::u32 = limits::AHEAD;
    const __DRAIN: ::core::time::Duration = limits::DRAIN;
    const _: () = (::kcl::__private::Given(__DRAIN)).drain();
    #[automatically_derived]
    impl ::kcl::AsyncProcessor for __KclRevenueAdd {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new()
            .retry(3u32)
            .on_failure(::kcl::FailureAction::DeadLetter);
        const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::from_millis(30000u64),
        );
        const CONCURRENCY: ::core::option::Option<::kcl::Concurrency> = ::core::option::Option::Some(
            ::kcl::Concurrency::new(64u32)
                .order(::kcl::Order::PartitionKey)
                .ahead(__AHEAD)
                .ahead_bytes(1073741824u64)
                .drain(__DRAIN),
        );
        async fn process_records(
            &mut self,
            _: &mut ::kcl::ProcessRecords<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::no_batches()
        }
        const TICK: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
            ::core::time::Duration::from_millis(5000u64),
        );
        const WORKER_THREADS: ::core::option::Option<::core::primitive::usize> = ::kcl::__private::runtime(
            ::core::option::Option::Some(__WORKER_THREADS),
        );
        async fn process_record(
            &self,
            __input: &::kcl::ConcurrentRecord<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_concurrent_record(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::add)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnConcurrentRecord<'_>>::take(__cx)?,
                    )
                    .await,
            )
        }
        async fn shutdown_requested(
            &mut self,
            __input: &mut ::kcl::ShutdownRequested<'_, ::kcl::AsyncCheckpointer>,
        ) -> ::kcl::__private::Handled {
            use ::kcl::__private::Unchecked as _;
            let __cx = &::kcl::__private::on_concurrent_shutdown(__input);
            ::kcl::__private::Returned(
                    (Self::stop)(
                            self,
                            <::kcl::__private::Inferred<
                                _,
                            > as ::kcl::__private::OnConcurrentShutdown<'_>>::take(__cx)?,
                        )
                        .await,
                )
                .__handled()
        }
        async fn concurrent_tick(
            &self,
            __input: &::kcl::ConcurrentTick<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_concurrent_tick(__input);
            <() as ::kcl::__private::Outcome>::handled((Self::report)(self))
        }
        async fn concurrent_dead_letter(
            &self,
            __input: &::kcl::DeadLetter<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_dead_letter(__input);
            <::kcl::__private::Inferred<
                _,
            > as ::kcl::__private::Outcome>::handled(
                (Self::keep)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnDeadLetter<'_>>::take(__cx)?,
                    )
                    .await,
            )
        }
    }
    #[automatically_derived]
    impl ::kcl::AsyncInitialize for __KclRevenueAdd
    where
        for<'kcl> __KclRevenueAdd: ::core::marker::Sized,
    {
        async fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclRevenueAdd as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run_async::<__KclRevenueAdd>()
}
