impl Sum {
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl ::kcl::Processor for Sum {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Records(1000u64);
        const WARN_AFTER: ::core::time::Duration = ::core::time::Duration::from_millis(
            300000u64,
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            ::kcl::handler::on_record(__input)
                .each(|__cx| {
                    let __a1 = <&Record as ::kcl::handler::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::add(self, __a1);
                    <() as ::kcl::handler::Outcome>::handled(__result)
                })
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sum {
        fn initialize(_: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            ::core::result::Result::Ok(
                <Sum as ::kcl::handler::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::UNKNOWN;
    }
    impl<__T> __Otherwise for __T {}
    const _: () = {
        let _ = ((::kcl::handler::Takes::NOTHING)
            .and(<::kcl::handler::probe::OnRecord<'_, &Record>>::TAKES))
            .no_checkpointer();
    };
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sum>()
}
