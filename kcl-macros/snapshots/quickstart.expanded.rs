impl Revenue {
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
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_record as _;
    use ::kcl::on_shard_end as _;
    #[automatically_derived]
    impl ::kcl::Processor for Revenue {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::__private::checkpoints(
            &[<::kcl::__private::probe::OnRecord<'_, Json<Order>>>::TAKES],
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| {
                    let __a1 = <Json<
                        Order,
                    > as ::kcl::__private::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::add(self, __a1);
                    <() as ::kcl::__private::Outcome>::handled(__result)
                })
        }
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shard_end(__input);
            let __result = Self::report(self);
            <() as ::kcl::__private::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Revenue {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            let __cx = &::kcl::__private::on_init(__input);
            let __a1 = <&Shard as ::kcl::__private::OnInit<'_>>::take(__cx)?;
            let __result = Self::open(__a1);
            <Self as ::kcl::__private::Constructed<Self>>::constructed(__result)
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Revenue>()
}
