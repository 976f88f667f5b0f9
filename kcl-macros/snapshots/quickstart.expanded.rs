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
#[allow(clippy::absolute_paths, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_record as _;
    use ::kcl::on_shard_end as _;
    #[automatically_derived]
    impl ::kcl::Processor for Revenue {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let __records = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::Any::new();
                let _ = (Self::add)(__this, (__p1).value());
                let __t1 = (__p1).part();
                (__t1, ())
            };
            ::kcl::__private::checkpoints(&__records)
        };
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
    impl ::kcl::Initialize for Revenue {
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
    ::kcl::run::<Revenue>()
}
