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
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::handler::checkpoints(
            &[<::kcl::handler::probe::OnRecord<'_, Json<Order>>>::TAKES],
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            ::kcl::handler::on_record(__input)
                .each(|__cx| {
                    let __a1 = <Json<
                        Order,
                    > as ::kcl::handler::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::add(self, __a1);
                    <() as ::kcl::handler::Outcome>::handled(__result)
                })
        }
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::handler::Handled {
            let __cx = &::kcl::handler::on_shard_end(__input);
            let __result = Self::report(self);
            <() as ::kcl::handler::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Revenue {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            let __cx = &::kcl::handler::on_init(__input);
            let __a1 = <&Shard as ::kcl::handler::OnInit<'_>>::take(__cx)?;
            let __result = Self::open(__a1);
            <Self as ::kcl::handler::Constructed<Self>>::constructed(__result)
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::UNKNOWN;
    }
    impl<__T> __Otherwise for __T {}
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Revenue>()
}
