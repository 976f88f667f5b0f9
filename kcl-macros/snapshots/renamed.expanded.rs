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
        const CHECKPOINTS: crate::deps::streams::Checkpoints = crate::deps::streams::handler::checkpoints(
            &[
                <crate::deps::streams::handler::probe::OnRecords<
                    '_,
                    &[streams::Record],
                >>::TAKES,
                <crate::deps::streams::handler::probe::OnRecords<
                    '_,
                    streams::MillisBehindLatest,
                >>::TAKES,
            ],
        );
        fn process_records(
            &mut self,
            input: &mut crate::deps::streams::ProcessRecords<'_>,
        ) -> crate::deps::streams::handler::Handled {
            let cx = &crate::deps::streams::handler::on_records(input);
            let a1 = <&[streams::Record] as crate::deps::streams::handler::OnRecords<
                '_,
            >>::take(cx)?;
            let a2 = <streams::MillisBehindLatest as crate::deps::streams::handler::OnRecords<
                '_,
            >>::take(cx)?;
            let result = Self::add(self, a1, a2);
            <() as crate::deps::streams::handler::Outcome>::handled(result)
        }
        fn shutdown_requested(
            &mut self,
            input: &mut crate::deps::streams::ShutdownRequested<'_>,
        ) -> crate::deps::streams::handler::Handled {
            let cx = &crate::deps::streams::handler::on_shutdown_requested(input);
            let a1 = <&mut streams::Checkpointer as crate::deps::streams::handler::OnShutdownRequested<
                '_,
            >>::take(cx)?;
            let result = Self::stop(self, a1);
            <Result<
                (),
                streams::CheckpointError,
            > as crate::deps::streams::handler::Outcome>::handled(result)
        }
    }
    #[automatically_derived]
    impl crate::deps::streams::Initialize for orders::Revenue {
        fn initialize(
            _: &crate::deps::streams::Shard,
        ) -> crate::deps::streams::handler::Made<Self> {
            ::core::result::Result::Ok(
                <orders::Revenue as crate::deps::streams::handler::OnInitOrDefault<
                    '_,
                >>::make(),
            )
        }
    }
    trait __Otherwise {
        const TAKES: crate::deps::streams::handler::Takes = crate::deps::streams::handler::Takes::NOTHING;
    }
    impl<__T> __Otherwise for __T {}
    const _: () = {
        let _ = ((crate::deps::streams::handler::Takes::NOTHING)
            .and(
                <crate::deps::streams::handler::probe::OnRecords<
                    '_,
                    &[streams::Record],
                >>::TAKES,
            ))
            .and(
                <crate::deps::streams::handler::probe::OnRecords<
                    '_,
                    streams::MillisBehindLatest,
                >>::TAKES,
            );
    };
};
fn main() -> ::std::process::ExitCode {
    crate::deps::streams::run::<orders::Revenue>()
}
