mod all_handlers_of_orders__Revenue_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_add $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanorders__Revenue<T>(T);
impl __KclOrdersRevenueAdd {
    fn add(&mut self, records: &[streams::Record], behind: streams::MillisBehindLatest) {
        self.cents += records.len();
    }
    fn stop(
        &mut self,
        checkpointer: &mut streams::Checkpointer,
    ) -> Result<(), streams::CheckpointError> {
        checkpointer.checkpoint()
    }
}
type __KclOrdersRevenueAdd = orders::Revenue;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    #[automatically_derived]
    impl crate::deps::streams::Processor for __KclOrdersRevenueAdd {
        const CHECKPOINTS: crate::deps::streams::Checkpoints = {
            let __records = |__this: &mut Self| {
                use crate::deps::streams::__private::probe::NoArgument as _;
                let __p1 = crate::deps::streams::__private::probe::OnRecords::new();
                let __p2 = crate::deps::streams::__private::probe::OnRecords::new();
                let _ = (Self::add)(__this, (__p1).__value(), (__p2).__value());
                let __t1 = (__p1).__part();
                let __t2 = (__p2).__part();
                use crate::deps::streams::__private::Compared as _;
                crate::deps::streams::__private::TakenOnce::check(
                    (crate::deps::streams::__private::pair(&__t2, &__t1)).__compared(),
                );
                (__t1, (__t2, ()))
            };
            crate::deps::streams::__private::checkpoints(&__records)
        };
        fn process_records(
            &mut self,
            __input: &mut crate::deps::streams::ProcessRecords<'_>,
        ) -> crate::deps::streams::__private::Handled {
            let __cx = &crate::deps::streams::__private::on_records(__input);
            <() as crate::deps::streams::__private::Outcome>::handled(
                (Self::add)(
                    self,
                    <_ as crate::deps::streams::__private::OnRecords<'_>>::take(__cx)?,
                    <_ as crate::deps::streams::__private::OnRecords<'_>>::take(__cx)?,
                ),
            )
        }
        fn shutdown_requested(
            &mut self,
            __input: &mut crate::deps::streams::ShutdownRequested<'_>,
        ) -> crate::deps::streams::__private::Handled {
            let __cx = &crate::deps::streams::__private::on_shutdown_requested(__input);
            <_ as crate::deps::streams::__private::Outcome>::handled(
                (Self::stop)(
                    self,
                    <_ as crate::deps::streams::__private::OnShutdownRequested<
                        '_,
                    >>::take(__cx)?,
                ),
            )
        }
    }
    #[automatically_derived]
    impl crate::deps::streams::Initialize for __KclOrdersRevenueAdd
    where
        for<'kcl> __KclOrdersRevenueAdd: ::core::marker::Sized,
    {
        fn initialize(
            _: &crate::deps::streams::Shard,
        ) -> crate::deps::streams::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclOrdersRevenueAdd as crate::deps::streams::__private::OnInitOrDefault<
                    '_,
                >>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    crate::deps::streams::run::<__KclOrdersRevenueAdd>()
}
