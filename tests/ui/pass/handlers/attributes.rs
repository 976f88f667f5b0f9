// Doc comments, lint levels, and other attributes on handlers.

#![deny(warnings, missing_docs)]

//! A processor whose handlers have attributes.

use kcl::{Checkpointer, Record, Shard};

/// Counts.
#[derive(Default)]
pub struct Count {
    records: usize,
}

/// Its handlers.
#[kcl::processor]
#[allow(clippy::needless_pass_by_value)]
impl Count {
    /// Counts a record.
    #[on_record]
    #[allow(unused_variables)]
    #[inline]
    pub fn count(&mut self, record: &Record, #[allow(unused)] shard: &Shard) {
        self.records += 1;
    }

    #[allow(dead_code)]
    #[doc(hidden)]
    #[on_lease_lost]
    pub(crate) fn lost(&mut self) {}

    /// Reports.
    #[on_shard_end]
    #[must_use = "not by the runtime"]
    pub fn report(&self) -> Result<(), kcl::BoxError> {
        eprintln!("{} records", self.records);
        Ok(())
    }

    /// Must not be ignored.
    #[must_use]
    #[cold]
    #[on_shutdown_requested]
    #[cfg_attr(unix, allow(unused_mut))]
    pub fn stop(&mut self, mut checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }
}
