//! `cargo kcl why`: why a shard does not move. The help of every build shows its options. The rest needs the feature `aws`.

#[cfg(feature = "aws")]
mod elsewhere;
#[cfg(feature = "aws")]
mod judge;
#[cfg(all(feature = "aws", feature = "metrics"))]
mod launcher;
#[cfg(feature = "aws")]
mod log;
mod options;
#[cfg(feature = "aws")]
mod run;

pub(crate) use self::options::WhyOptions;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
