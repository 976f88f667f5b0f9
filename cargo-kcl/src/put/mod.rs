//! `cargo kcl put`: records of files or standard input, put on a stream. Its options stand in the help of every build; the rest takes the feature `aws`.

mod options;
#[cfg(feature = "aws")]
mod run;

pub(crate) use self::options::PutOptions;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
