mod all_handlers_of_Revenue_stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_open $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanRevenue<T>(T);
impl __KclRevenueOpen {
    fn open(shard: &Shard) -> Self {
        Revenue {
            shard: shard.id().to_owned(),
            cents: 0,
        }
    }
    fn add(&mut self, Json(order): Json<Order>) {
        self.cents += order.cents;
    }
    fn report(&mut self) {
        eprintln!("{}: {} cents", self.shard, self.cents);
    }
}
type __KclRevenueOpen = Revenue;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_record as _;
    use ::kcl::on_shard_end as _;
    #[automatically_derived]
    impl ::kcl::Processor for __KclRevenueOpen {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
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
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shard_end(__input);
            <() as ::kcl::__private::Outcome>::handled((Self::report)(self))
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for __KclRevenueOpen
    where
        for<'kcl> __KclRevenueOpen: ::core::marker::Sized,
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
    ::kcl::run::<__KclRevenueOpen>()
}
