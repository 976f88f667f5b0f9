//! `cargo kcl health`: whether a run is healthy, for probes that run a command. The help of every build shows its options. The rest
//! needs the feature `metrics`.

mod options;
#[cfg(feature = "metrics")]
mod run;

pub(crate) use self::options::HealthOptions;
#[cfg(feature = "metrics")]
pub(crate) use self::run::run;
