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
            let _ = (((::kcl::__private::Takes::NOTHING)
                .and(<::kcl::__private::probe::OnRecord<'_, &'_ Record>>::TAKES))
                .and(<::kcl::__private::probe::OnRecord<'_, Json<T>>>::TAKES))
                .and(<::kcl::__private::probe::OnRecord<'_, Place<'_>>>::TAKES);
            ::kcl::__private::checkpoints(
                &[
                    <::kcl::__private::probe::OnRecord<'_, &'_ Record>>::TAKES,
                    <::kcl::__private::probe::OnRecord<'_, Json<T>>>::TAKES,
                    <::kcl::__private::probe::OnRecord<'_, Place<'_>>>::TAKES,
                ],
            )
        };
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| {
                    let __a1 = <&'_ Record as ::kcl::__private::OnRecord<
                        '_,
                    >>::take(__cx)?;
                    let __a2 = <Json<T> as ::kcl::__private::OnRecord<'_>>::take(__cx)?;
                    let __a3 = <Place<
                        '_,
                    > as ::kcl::__private::OnRecord<'_>>::take(__cx)?;
                    let __result = Self::keep(self, __a1, __a2, __a3);
                    <() as ::kcl::__private::Outcome>::handled(__result)
                })
        }
    }
    #[automatically_derived]
    impl<'p, T, const N: usize> ::kcl::Initialize for Last<'p, T, N>
    where
        T: DeserializeOwned,
        for<'kcl> Last<'p, T, N>: ::kcl::__private::OnInitOrDefault<'kcl>,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Last<'p, T, N> as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
};
