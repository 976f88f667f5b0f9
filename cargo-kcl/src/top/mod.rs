//! `cargo kcl top`: a live view of a run. The help of every build shows its options. The rest needs the feature `metrics`.

mod options;
#[cfg(feature = "metrics")]
mod run;
#[cfg(feature = "metrics")]
mod screen;
#[cfg(feature = "metrics")]
mod table;

pub(crate) use self::options::TopOptions;
#[cfg(feature = "metrics")]
pub(crate) use self::run::run;
