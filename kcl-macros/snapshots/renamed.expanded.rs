impl orders::Revenue {
    fn add(&mut self, records: &[streams::Record], behind: streams::MillisBehindLatest) {
        self.cents += records.len();
    }
    fn stop(
        &mut self,
        checkpointer: &mut streams::Checkpointer,
    ) -> Result<(), streams::CheckpointError> {
        checkpointer.checkpoint()
    }
}
const _: () = {
    #[automatically_derived]
    impl crate::deps::streams::Processor for orders::Revenue {
        const CHECKPOINTS: crate::deps::streams::Checkpoints = crate::deps::streams::__private::checkpoints(
            &[
                <crate::deps::streams::__private::probe::OnRecords<
                    '_,
                    &[streams::Record],
                >>::TAKES,
                <crate::deps::streams::__private::probe::OnRecords<
                    '_,
                    streams::MillisBehindLatest,
                >>::TAKES,
            ],
        );
        fn process_records(
            &mut self,
            __input: &mut crate::deps::streams::ProcessRecords<'_>,
        ) -> crate::deps::streams::__private::Handled {
            let __cx = &crate::deps::streams::__private::on_records(__input);
            let __a1 = <&[streams::Record] as crate::deps::streams::__private::OnRecords<
                '_,
            >>::take(__cx)?;
            let __a2 = <streams::MillisBehindLatest as crate::deps::streams::__private::OnRecords<
                '_,
            >>::take(__cx)?;
            let __result = Self::add(self, __a1, __a2);
            <() as crate::deps::streams::__private::Outcome>::handled(__result)
        }
        fn shutdown_requested(
            &mut self,
            __input: &mut crate::deps::streams::ShutdownRequested<'_>,
        ) -> crate::deps::streams::__private::Handled {
            let __cx = &crate::deps::streams::__private::on_shutdown_requested(__input);
            let __a1 = <&mut streams::Checkpointer as crate::deps::streams::__private::OnShutdownRequested<
                '_,
            >>::take(__cx)?;
            let __result = Self::stop(self, __a1);
            <Result<
                (),
                streams::CheckpointError,
            > as crate::deps::streams::__private::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl crate::deps::streams::Initialize for orders::Revenue {
        fn initialize(
            _: &crate::deps::streams::Shard,
        ) -> crate::deps::streams::__private::Made<Self> {
            ::core::result::Result::Ok(
                <orders::Revenue as crate::deps::streams::__private::OnInitOrDefault<
                    '_,
                >>::make(),
            )
        }
    }
    trait __Fallback {
        const TAKES: crate::deps::streams::__private::Takes = crate::deps::streams::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
    const _: () = {
        let _ = ((crate::deps::streams::__private::Takes::NOTHING)
            .and(
                <crate::deps::streams::__private::probe::OnRecords<
                    '_,
                    &[streams::Record],
                >>::TAKES,
            ))
            .and(
                <crate::deps::streams::__private::probe::OnRecords<
                    '_,
                    streams::MillisBehindLatest,
                >>::TAKES,
            );
    };
};
fn main() -> ::std::process::ExitCode {
    crate::deps::streams::run::<orders::Revenue>()
}
