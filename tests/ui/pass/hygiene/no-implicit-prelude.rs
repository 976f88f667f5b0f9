// Without the prelude.

#![no_implicit_prelude]

struct Count {
    records: usize,
}

#[::kcl::processor]
impl Count {
    #[on_init]
    fn open(shard: &::kcl::Shard) -> ::std::result::Result<Self, ::std::io::Error> {
        let _ = shard;
        ::std::result::Result::Ok(Count { records: 0 })
    }

    #[on_record]
    fn count(&mut self, _: &::kcl::Record, _: ::kcl::Json<u64>) {
        self.records += 1;
    }

    #[on_shard_end]
    fn report(&self, checkpointer: &mut ::kcl::Checkpointer) -> ::std::result::Result<(), ::kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}
