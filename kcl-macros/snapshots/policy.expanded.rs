impl Sum {
    fn add(&mut self, orders: Vec<(&Record, Json<Order>)>) -> Result<(), io::Error> {
        self.0.add(orders)
    }
    fn keep(&mut self, letter: &DeadLetter) -> Result<(), io::Error> {
        self.0.keep(letter)
    }
}
const _: () = {
    use ::kcl::on_records as _;
    use ::kcl::on_dead_letter as _;
    #[automatically_derived]
    impl ::kcl::Processor for Sum {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::__private::checkpoints(
            &[
                <::kcl::__private::probe::OnRecords<
                    '_,
                    Vec<(&Record, Json<Order>)>,
                >>::TAKES,
            ],
        );
        const POLICY: ::kcl::FailurePolicy = ::kcl::FailurePolicy::new()
            .retry(3u32)
            .backoff(
                ::core::time::Duration::from_millis(200u64),
                ::core::time::Duration::from_millis(5000u64),
            )
            .on_failure(::kcl::FailureAction::Skip)
            .on_undecodable(::kcl::FailureAction::DeadLetter);
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_records(__input);
            let __a1 = <Vec<
                (&Record, Json<Order>),
            > as ::kcl::__private::OnRecords<'_>>::take(__cx)?;
            let __result = Self::add(self, __a1);
            <Result<(), io::Error> as ::kcl::__private::Outcome>::handled(__result)
        }
        fn dead_letter(
            &mut self,
            __input: &::kcl::DeadLetter<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_dead_letter(__input);
            let __a1 = <&DeadLetter as ::kcl::__private::OnDeadLetter<'_>>::take(__cx)?;
            let __result = Self::keep(self, __a1);
            <Result<(), io::Error> as ::kcl::__private::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sum {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Sum as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
    const _: () = {
        let _ = ((::kcl::__private::Takes::NOTHING)
            .and(
                <::kcl::__private::probe::OnRecords<
                    '_,
                    Vec<(&Record, Json<Order>)>,
                >>::TAKES,
            ))
            .payload_for_on_undecodable();
    };
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sum>()
}
