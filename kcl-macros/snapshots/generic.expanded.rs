impl<'p, T, const N: usize> Last<'p, T, N>
where
    T: DeserializeOwned,
{
    fn keep<'r>(&mut self, record: &'r Record, Json(value): Json<T>, place: Place<'r>) {
        self.value = value;
    }
}
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl<'p, T, const N: usize> ::kcl::Processor for Last<'p, T, N>
    where
        T: DeserializeOwned,
    {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let _ = (((::kcl::handler::Takes::NOTHING)
                .and(<::kcl::handler::probe::OnRecord<'_, &'_ Record>>::TAKES))
                .and(<::kcl::handler::probe::OnRecord<'_, Json<T>>>::TAKES))
                .and(<::kcl::handler::probe::OnRecord<'_, Place<'_>>>::TAKES);
            ::kcl::handler::checkpoints(
                &[
                    <::kcl::handler::probe::OnRecord<'_, &'_ Record>>::TAKES,
                    <::kcl::handler::probe::OnRecord<'_, Json<T>>>::TAKES,
                    <::kcl::handler::probe::OnRecord<'_, Place<'_>>>::TAKES,
                ],
            )
        };
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            ::kcl::handler::on_record(__input)
                .each(|__cx| {
                    let __a1 = <&'_ Record as ::kcl::handler::OnRecord<'_>>::take(__cx)?;
                    let __a2 = <Json<T> as ::kcl::handler::OnRecord<'_>>::take(__cx)?;
                    let __a3 = <Place<'_> as ::kcl::handler::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::keep(self, __a1, __a2, __a3);
                    <() as ::kcl::handler::Outcome>::handled(__result)
                })
        }
    }
    #[automatically_derived]
    impl<'p, T, const N: usize> ::kcl::Initialize for Last<'p, T, N>
    where
        T: DeserializeOwned,
        for<'kcl> Last<'p, T, N>: ::kcl::handler::OnInitOrDefault<'kcl>,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            ::core::result::Result::Ok(
                <Last<'p, T, N> as ::kcl::handler::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::UNKNOWN;
    }
    impl<__T> __Otherwise for __T {}
};
