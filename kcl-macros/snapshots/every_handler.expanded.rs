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
        const CHECKPOINTS: ::kcl::Checkpoints = ::kcl::__private::checkpoints(
            &[
                <::kcl::__private::probe::OnRecords<'_, &[Record]>>::TAKES,
                <::kcl::__private::probe::OnRecords<'_, &mut Checkpointer>>::TAKES,
            ],
        );
        fn process_records(
            &mut self,
            __input: &mut ::kcl::ProcessRecords<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_records(__input);
            let __a1 = <&[Record] as ::kcl::__private::OnRecords<'_>>::take(__cx)?;
            let __a2 = <&mut Checkpointer as ::kcl::__private::OnRecords<
                '_,
            >>::take(__cx)?;
            let __result = Self::write(self, __a1, __a2);
            <Result<(), BoxError> as ::kcl::__private::Outcome>::handled(__result)
        }
        fn lease_lost(
            &mut self,
            __input: &mut ::kcl::LeaseLost<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_lease_lost(__input);
            let __a1 = <&Shard as ::kcl::__private::OnLeaseLost<'_>>::take(__cx)?;
            let __result = Self::forget(self, __a1);
            <() as ::kcl::__private::Outcome>::handled(__result)
        }
        fn shard_ended(
            &mut self,
            __input: &mut ::kcl::ShardEnded<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shard_end(__input);
            let __a1 = <&Shard as ::kcl::__private::OnShardEnd<'_>>::take(__cx)?;
            let __a2 = <&mut Checkpointer as ::kcl::__private::OnShardEnd<
                '_,
            >>::take(__cx)?;
            let __result = Self::finish(self, __a1, __a2);
            <Result<(), CheckpointError> as ::kcl::__private::Outcome>::handled(__result)
        }
        #[allow(unreachable_code)]
        fn shutdown_requested(
            &mut self,
            __input: &mut ::kcl::ShutdownRequested<'_>,
        ) -> ::kcl::__private::Handled {
            let __cx = &::kcl::__private::on_shutdown_requested(__input);
            let __result = Self::stop(self);
            <() as ::kcl::__private::Outcome>::handled(__result)
        }
    }
    #[automatically_derived]
    impl ::kcl::Initialize for Sample {
        fn initialize(__input: &::kcl::Shard) -> ::kcl::__private::Made<Self> {
            let __cx = &::kcl::__private::on_init(__input);
            let __a1 = <&Shard as ::kcl::__private::OnInit<'_>>::take(__cx)?;
            let __result = Self::open(__a1);
            <Result<
                Self,
                io::Error,
            > as ::kcl::__private::Constructed<Self>>::constructed(__result)
        }
    }
    trait __Fallback {
        const TAKES: ::kcl::__private::Takes = ::kcl::__private::Takes::UNKNOWN;
    }
    impl<__T> __Fallback for __T {}
    const _: () = {
        let _ = ((::kcl::__private::Takes::NOTHING)
            .and(<::kcl::__private::probe::OnRecords<'_, &[Record]>>::TAKES))
            .and(<::kcl::__private::probe::OnRecords<'_, &mut Checkpointer>>::TAKES);
        let _ = ((::kcl::__private::Takes::NOTHING)
            .and(<::kcl::__private::probe::OnShardEnd<'_, &Shard>>::TAKES))
            .and(<::kcl::__private::probe::OnShardEnd<'_, &mut Checkpointer>>::TAKES);
    };
};
fn main() -> ::std::process::ExitCode {
    ::kcl::run::<Sample>()
}
