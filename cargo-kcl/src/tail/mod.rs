//! `cargo kcl tail`: the records of a stream, printed as they arrive. Its options stand in the help of every build; the rest takes the feature `aws`.

mod options;
#[cfg(feature = "aws")]
mod run;

pub(crate) use self::options::TailOptions;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
