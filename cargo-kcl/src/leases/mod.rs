//! `cargo kcl leases`: the leases of an application. The help of every build shows its options. The rest needs the feature `aws`.

#[cfg(feature = "aws")]
mod find;
mod options;
#[cfg(feature = "aws")]
mod plan;
#[cfg(feature = "aws")]
mod rewind;
#[cfg(feature = "aws")]
mod run;
#[cfg(feature = "aws")]
mod show;

pub(crate) use self::options::LeasesOptions;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
