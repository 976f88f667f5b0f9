//! `cargo kcl why`: why a shard does not move. Its options stand in the help of every build; the rest takes the feature `aws`.

#[cfg(feature = "aws")]
mod judge;
#[cfg(feature = "aws")]
mod log;
mod options;
#[cfg(feature = "aws")]
mod run;

pub(crate) use self::options::WhyOptions;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
