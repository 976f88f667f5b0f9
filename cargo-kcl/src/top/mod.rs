//! `cargo kcl top`: a live view of a run. The help of every build shows its options. The rest needs the feature `metrics`.

#[cfg(feature = "metrics")]
mod detail;
#[cfg(feature = "metrics")]
mod draw;
#[cfg(feature = "metrics")]
mod history;
mod options;
#[cfg(feature = "metrics")]
mod run;
#[cfg(feature = "metrics")]
mod screen;
#[cfg(feature = "metrics")]
mod table;
#[cfg(feature = "metrics")]
mod units;
#[cfg(feature = "metrics")]
mod view;

pub(crate) use self::options::TopOptions;
#[cfg(feature = "metrics")]
pub(crate) use self::run::run;
