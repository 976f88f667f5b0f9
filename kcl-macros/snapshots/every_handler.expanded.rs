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
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::handler::Handled {
            let __cx = &::kcl::handler::on_records(__input);
            let __a1 = <&[Record] as ::kcl::handler::OnRecords<'_>>::take(__cx)?;
            let __a2 = <&mut Checkpointer as ::kcl::handler::OnRecords<'_>>::take(__cx)?;
            let __result = Self::write(self, __a1, __a2);
            <Result<(), BoxError> as ::kcl::handler::Outcome>::handled(__result)
        }
        fn lease_lost(
            &mut self,
            __input: &mut ::kcl::LeaseLost<'_>,
        ) -> ::kcl::handler::Handled {
            let __cx = &::kcl::handler::on_lease_lost(__input);
            let __a1 = <&Shard as ::kcl::handler::OnLeaseLost<'_>>::take(__cx)?;
            let __result = Self::forget(self, __a1);
            <() as ::kcl::handler::Outcome>::handled(__result)
        }
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::handler::Handled {
            let __cx = &::kcl::handler::on_shard_end(__input);
            let __a1 = <&Shard as ::kcl::handler::OnShardEnd<'_>>::take(__cx)?;
            let __a2 = <&mut Checkpointer as ::kcl::handler::OnShardEnd<
                '_,
            >>::take(__cx)?;
            let __result = Self::finish(self, __a1, __a2);
            <Result<(), CheckpointError> as ::kcl::handler::Outcome>::handled(__result)
        }
        #[allow(unreachable_code)]
        fn shutdown_requested(
            &mut self,
            __input: &mut ::kcl::ShutdownRequested<'_>,
        ) -> ::kcl::handler::Handled {
            let __cx = &::kcl::handler::on_shutdown_requested(__input);
            let __result = Self::stop(self);
            <() as ::kcl::handler::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sample {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::handler::Made<Self> {
            let __cx = &::kcl::handler::on_init(__input);
            let __a1 = <&Shard as ::kcl::handler::OnInit<'_>>::take(__cx)?;
            let __result = Self::open(__a1);
            <Result<
                Self,
                io::Error,
            > as ::kcl::handler::Constructed<Self>>::constructed(__result)
        }
    }
    trait __Otherwise {
        const TAKES: ::kcl::handler::Takes = ::kcl::handler::Takes::UNKNOWN;
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
