//! The parts of options that several verbs share: headings of the help, and values with a grammar of their own.

mod application;
mod aws;
mod install;
mod log;
// The options of `#[kcl::processor]` are written in the same grammar.
#[path = "../../../kcl-macros/src/quantities.rs"]
pub(crate) mod quantities;
pub(crate) mod shard;
pub(crate) mod start;
mod values;

pub(crate) use self::application::ApplicationOptions;
#[cfg(feature = "aws")]
pub(crate) use self::aws::Limits;
pub(crate) use self::aws::{AwsOptions, is_local, without_password};
pub(crate) use self::install::{InstallOptions, LockOptions};
pub(crate) use self::log::LogOptions;
pub(crate) use self::quantities::duration;
pub(crate) use self::shard::{ShardName, shard_id, shard_id_in};
pub(crate) use self::start::{StartAt, is_trim_horizon};
pub(crate) use self::values::{LONGEST_STREAM_NAME, count, interval, is_of_name, stream_name};

// Headings of the help.
pub(crate) const PROGRAM: &str = "Program";
pub(crate) const INPUT: &str = "Input";
pub(crate) const SHARDS: &str = "Shards and processors";
pub(crate) const CHECKPOINTS: &str = "Checkpoints";
pub(crate) const CHAOS: &str = "Fault injection";
pub(crate) const REPORT: &str = "Output";
