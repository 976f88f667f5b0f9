//! `cargo kcl health`: whether a run is well, for probes that run a command. Its options stand in the help of every build; the rest
//! takes the feature `metrics`.

mod options;
#[cfg(feature = "metrics")]
mod run;

pub(crate) use self::options::HealthOptions;
#[cfg(feature = "metrics")]
pub(crate) use self::run::run;
