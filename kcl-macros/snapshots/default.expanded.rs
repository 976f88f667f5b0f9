impl Count {
    fn count(&mut self) {
        self.records += 1;
    }
}
#[allow(clippy::absolute_paths, clippy::question_mark_used)]
const _: () = {
    use ::kcl::on_record as _;
    #[automatically_derived]
    impl ::kcl::Processor for Count {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::Checkpoints::Batch;
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            ::kcl::__private::on_record(__input)
                .each(|__cx| <() as ::kcl::__private::Outcome>::handled(
                    (Self::count)(self),
                ))
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Count {
        fn initialize(_: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            ::core::result::Result::Ok(
                <Count as ::kcl::__private::OnInitOrDefault<'_>>::make(),
            )
        }
    }
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Count>()
}
