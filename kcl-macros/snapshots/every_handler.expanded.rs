impl Sample {
    fn open(shard: &Shard) -> Result<Self, io::Error> {
        Ok(Sample {
            file: File::open(shard.id())?,
        })
    }
    fn write(
        &mut self,
        records: &[Record],
        checkpointer: &mut Checkpointer,
    ) -> Result<(), BoxError> {
        self.file.write_all(records)?;
        Ok(checkpointer.checkpoint()?)
    }
    fn forget(&mut self, shard: &Shard) {
        eprintln!("{}", shard.id());
    }
    fn finish(
        &mut self,
        shard: &Shard,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
    fn stop(&self) -> ! {
        exit(3)
    }
}
const _: () = {
    use ::kcl::on_init as _;
    use ::kcl::on_records as _;
    use ::kcl::on_lease_lost as _;
    use ::kcl::on_shard_end as _;
    use ::kcl::on_shutdown_requested as _;
    #[automatically_derived]
    impl ::kcl::Processor for Sample {
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::handler::checkpoints(
            &[
                <::kcl::handler::probe::OnRecords<'_, &[Record]>>::TAKES,
                <::kcl::handler::probe::OnRecords<'_, &mut Checkpointer>>::TAKES,
            ],
        );
        fn process_records(
            &mut self,
            input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            let cx = &::kcl::handler::on_records(input);
            let a1 = <&[Record] as ::kcl::handler::OnRecords<'_>>::take(cx)?;
            let a2 = <&mut Checkpointer as ::kcl::handler::OnRecords<'_>>::take(cx)?;
            let result = Self::write(self, a1, a2);
            <Result<(), BoxError> as ::kcl::handler::Outcome>::handled(result)
        }
        fn lease_lost(
            &mut self,
            input: &mut ::kcl::LeaseLost<'_>,
        ) -> ::kcl::handler::Handled {
            let cx = &::kcl::handler::on_lease_lost(input);
            let a1 = <&Shard as ::kcl::handler::OnLeaseLost<'_>>::take(cx)?;
            let result = Self::forget(self, a1);
            <() as ::kcl::handler::Outcome>::handled(result)
        }
        fn shard_ended(
            &mut self,
            input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::handler::Handled {
            let cx = &::kcl::handler::on_shard_end(input);
            let a1 = <&Shard as ::kcl::handler::OnShardEnd<'_>>::take(cx)?;
            let a2 = <&mut Checkpointer as ::kcl::handler::OnShardEnd<'_>>::take(cx)?;
            let result = Self::finish(self, a1, a2);
            <Result<(), CheckpointError> as ::kcl::handler::Outcome>::handled(result)
        }
        #[allow(unreachable_code)]
        fn shutdown_requested(
            &mut self,
            input: &mut ::kcl::ShutdownRequested<'_>,
        ) -> ::kcl::handler::Handled {
            let cx = &::kcl::handler::on_shutdown_requested(input);
            let result = Self::stop(self);
            <() as ::kcl::handler::Outcome>::handled(result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sample {
        fn initialize(input: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            let cx = &::kcl::handler::on_init(input);
            let a1 = <&Shard as ::kcl::handler::OnInit<'_>>::take(cx)?;
            let result = Self::open(a1);
            <Result<
                Self,
                io::Error,
            > as ::kcl::handler::Constructed<Self>>::constructed(result)
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::NOTHING;
    }
    impl<__T> __Otherwise for __T {}
    const _: () = {
        let _ = ((::kcl::handler::Takes::NOTHING)
            .and(<::kcl::handler::probe::OnRecords<'_, &[Record]>>::TAKES))
            .and(<::kcl::handler::probe::OnRecords<'_, &mut Checkpointer>>::TAKES);
        let _ = ((::kcl::handler::Takes::NOTHING)
            .and(<::kcl::handler::probe::OnShardEnd<'_, &Shard>>::TAKES))
            .and(<::kcl::handler::probe::OnShardEnd<'_, &mut Checkpointer>>::TAKES);
    };
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sample>()
}
