// Generated code names nothing that the user may have shadowed, and no lint complains about it.

#![deny(warnings, clippy::all, clippy::pedantic)]
#![no_implicit_prelude]

use ::kcl::{AsyncCheckpointer, CheckpointError, Record};
use ::std::default::Default;
use ::std::result::Result;

mod kcl {}
mod core {}

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[::kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        self.bytes += record.data().len();
        checkpointer.checkpoint().await
    }

    #[on_tick(every = "5s")]
    async fn tick(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }

    #[on_shutdown_requested]
    async fn shutdown_requested(&self) -> ! {
        ::std::process::exit(3)
    }

    #[on_shard_end]
    #[deprecated]
    async fn blocking(&self) {}
}
