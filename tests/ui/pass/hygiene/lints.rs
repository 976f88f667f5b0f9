// With every lint that can be denied.

#![deny(warnings, missing_docs, unsafe_code, unreachable_pub, unused_qualifications, unused_results)]
#![deny(
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    future_incompatible,
    nonstandard_style,
    unused
)]
#![deny(
    explicit_outlives_requirements,
    let_underscore_drop,
    missing_copy_implementations,
    missing_debug_implementations
)]
#![deny(
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unused_lifetimes,
    variant_size_differences
)]
#![forbid(unsafe_op_in_unsafe_fn, non_ascii_idents, redundant_lifetimes, ambiguous_negative_literals)]

//! A processor in a crate with strict lints.

use kcl::{CheckpointError, Checkpointer, Json, Record, Shard};

#[derive(Debug)]
struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_init]
    fn open(_: &Shard) -> Result<Self, std::io::Error> {
        Ok(Self { cents: 0 })
    }

    #[on_record]
    fn add(
        &mut self,
        record: &Record,
        Json(cents): Json<u64>,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        self.cents += cents;
        checkpointer.checkpoint_at(record)
    }

    #[on_lease_lost]
    fn lost(&mut self) {}

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{self:?}");
    }

    #[on_shutdown_requested]
    fn stop(&mut self, _: &mut Checkpointer, _: &Shard) {}
}
