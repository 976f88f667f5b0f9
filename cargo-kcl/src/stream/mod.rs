//! `cargo kcl stream`: streams for development. Its options stand in the help of every build; the rest takes the feature `aws`.

mod options;
#[cfg(feature = "aws")]
mod run;

pub(crate) use self::options::StreamCommand;
#[cfg(feature = "aws")]
pub(crate) use self::run::run;
