mod all_handlers_of_Last__27_p_2c_T_2c_N__stand_in_one_impl {
    macro_rules! claimed {
        (__kcl_keep $($code:tt)*) => {
            $($code)*
        };
        ($($code:tt)*) => {};
    }
    pub(super) use claimed;
}
struct __KclOtherThanLast__27_p_2c_T_2c_N_<T>(T);
impl<'p, T, const N: usize> __KclLastPTNKeep<'p, T, N>
where
    T: DeserializeOwned,
{
    fn keep<'r>(&mut self, record: &'r Record, Json(value): Json<T>, place: Place<'r>) {
        self.value = value;
    }
}
type __KclLastPTNKeep<'p, T, const N: usize> = Last<'p, T, N>;
#[allow(clippy::absolute_paths, clippy::future_not_send, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl<'p, T, const N: usize> ::kcl::Processor for __KclLastPTNKeep<'p, T, N>
    where
        T: DeserializeOwned,
    {
        const CHECKPOINTS: ::kcl::Checkpoints = {
            let __records = |__this: &mut Self| {
                use ::kcl::__private::probe::NoArgument as _;
                let __p1 = ::kcl::__private::probe::OnRecord::new();
                let __p2 = ::kcl::__private::probe::OnRecord::new();
                let __p3 = ::kcl::__private::probe::OnRecord::new();
                let _ = (Self::keep)(
                    __this,
                    (__p1).__value(),
                    (__p2).__value(),
                    (__p3).__value(),
                );
                let __t1 = (__p1).__part();
                let __t2 = (__p2).__part();
                let __t3 = (__p3).__part();
                use ::kcl::__private::Compared as _;
                ::kcl::__private::TakenOnce::check(
                    (::kcl::__private::pair(&__t2, &__t1)).__compared(),
                );
                ::kcl::__private::TakenOnce::check(
                    (::kcl::__private::pair(&__t3, &__t1)).__compared(),
                );
                ::kcl::__private::TakenOnce::check(
                    (::kcl::__private::pair(&__t3, &__t2)).__compared(),
                );
                (__t1, (__t2, (__t3, ())))
            };
            ::kcl::__private::checkpoints(&__records)
        };
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| <() as ::kcl::__private::Outcome>::handled(
                    (Self::keep)(
                        self,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnRecord<'_>>::take(__cx)?,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnRecord<'_>>::take(__cx)?,
                        <::kcl::__private::Inferred<
                            _,
                        > as ::kcl::__private::OnRecord<'_>>::take(__cx)?,
                    ),
                ))
        }
    }
    #[automatically_derived]
    impl<'p, T, const N: usize> ::kcl::Initialize for __KclLastPTNKeep<'p, T, N>
    where
        T: DeserializeOwned,
        for<'kcl> __KclLastPTNKeep<'p, T, N>: ::kcl::__private::OnInitOrDefault<'kcl>,
    {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <__KclLastPTNKeep<
                    'p,
                    T,
                    N,
                > as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
