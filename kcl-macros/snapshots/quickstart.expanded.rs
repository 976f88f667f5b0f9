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
            input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            ::kcl::handler::on_record(input)
                .each(|cx| {
                    let a1 = <Json<Order> as ::kcl::handler::OnRecord<'_>>::take(cx)?;
                    let result = Self::add(self, a1);
                    <() as ::kcl::handler::Outcome>::handled(result)
                })
        }
        fn shard_ended(
            &mut self,
            input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::handler::Handled {
            let cx = &::kcl::handler::on_shard_end(input);
            let result = Self::report(self);
            <() as ::kcl::handler::Outcome>::handled(result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Revenue {
        fn initialize(input: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            let cx = &::kcl::handler::on_init(input);
            let a1 = <&Shard as ::kcl::handler::OnInit<'_>>::take(cx)?;
            let result = Self::open(a1);
            <Self as ::kcl::handler::Constructed<Self>>::constructed(result)
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::NOTHING;
    }
    impl<__T> __Otherwise for __T {}
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Revenue>()
}
