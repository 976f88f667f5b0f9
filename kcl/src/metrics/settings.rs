//! The settings that the environment gives.

use std::env;
use std::ffi::OsString;
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::RunError;

/// The time between two lines, unless it is set.
const PERIOD: Duration = Duration::from_secs(10);
/// The times that may be set.
const PERIODS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// The namespace in CloudWatch, unless it is given.
const NAMESPACE: &str = "kcl";

const FORMS: &str = "`json`, `emf`, `emf:NAMESPACE` (up to 255 letters, digits and `.-_/#:`), `unix:PATH` (on Linux, a path of up to 107 bytes), or several of them, separated by commas";
const TIMES: &str = "a whole number with one unit, from 100ms to 1h, such as `90s`";

/// A way out for snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Lines of JSON on stderr.
    Json,
    /// Lines in the embedded metric format on stderr, with this namespace.
    Emf(String),
    /// Datagrams to the socket at this path.
    Unix(PathBuf),
}

/// The outputs, and the names in each snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) outputs: Vec<Output>,
    pub(super) period: Duration,
    pub(super) application: Option<String>,
    pub(super) stream: Option<String>,
}

impl Settings {
    /// The settings of this process; `None` if it is to collect nothing.
    ///
    /// # Errors
    ///
    /// If a variable has a value that is not valid.
    pub(crate) fn from_env() -> Result<Option<Self>, RunError> {
        Self::new(env::var_os)
    }

    pub(super) fn new(variable: impl Fn(&'static str) -> Option<OsString>) -> Result<Option<Self>, RunError> {
        let text = |name| variable(name).filter(|value| !value.is_empty());
        let Some(wanted) = text("KCL_METRICS") else { return Ok(None) };
        let wrong = |variable, value: &OsString, expected| RunError::Setting {
            variable,
            value: value.to_string_lossy().into_owned(),
            expected,
        };
        let outputs = wanted.to_str().and_then(|text| text.split(',').map(output).collect::<Option<Vec<_>>>());
        let outputs = outputs.ok_or_else(|| wrong("KCL_METRICS", &wanted, FORMS))?;
        let period = match text("KCL_METRICS_PERIOD") {
            None => PERIOD,
            Some(time) => {
                let period = time.to_str().and_then(period).filter(|period| PERIODS.contains(period));
                period.ok_or_else(|| wrong("KCL_METRICS_PERIOD", &time, TIMES))?
            }
        };
        let name = |name| text(name).map(|value| value.to_string_lossy().into_owned());
        Ok(Some(Self { outputs, period, application: name("KCL_APP"), stream: name("KCL_STREAM") }))
    }
}

fn output(text: &str) -> Option<Output> {
    match text.split_once(':') {
        None if text == "json" => Some(Output::Json),
        None if text == "emf" => Some(Output::Emf(NAMESPACE.to_owned())),
        Some(("emf", namespace)) => is_namespace(namespace).then(|| Output::Emf(namespace.to_owned())),
        Some(("unix", path)) => is_path_of_socket(path).then(|| Output::Unix(path.into())),
        _ => None,
    }
}

/// Whether CloudWatch takes this namespace.
fn is_namespace(text: &str) -> bool {
    let known = |char: char| char.is_ascii_alphanumeric() || ".-_/#:".contains(char);
    !text.is_empty() && text.len() <= 255 && text.chars().all(known)
}

/// Whether a socket can have this path. A longer one would receive nothing, without a word.
fn is_path_of_socket(path: &str) -> bool {
    !path.is_empty() && SocketAddr::from_pathname(path).is_ok()
}

/// Parses a whole number with a unit.
fn period(text: &str) -> Option<Duration> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |factor| number.checked_mul(factor).map(Duration::from_secs);
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "sec" | "second" | "seconds" => seconds(1),
        "m" | "min" | "minute" | "minutes" => seconds(60),
        "h" | "hour" | "hours" => seconds(3600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metrics: &str, time: &str) -> Result<Option<Settings>, String> {
        let value = |name| match name {
            "KCL_METRICS" => Some(metrics.into()),
            "KCL_METRICS_PERIOD" => Some(time.into()),
            "KCL_APP" => Some("revenue".into()),
            _ => None,
        };
        Settings::new(value).map_err(|error| error.to_string())
    }

    #[test]
    fn outputs_are_separated_by_commas() {
        let settings = read("json,emf,emf:a/b:c,unix:/run/a b.sock", "").expect("valid").expect("something");
        let [namespace, other] = ["kcl", "a/b:c"].map(|name| Output::Emf(name.to_owned()));
        assert_eq!(settings.outputs, [Output::Json, namespace, other, Output::Unix("/run/a b.sock".into())]);
        assert_eq!(
            (settings.period, settings.application.as_deref(), settings.stream),
            (PERIOD, Some("revenue"), None)
        );
        assert_eq!(read("", "bad"), Ok(None));
        for (time, millis) in [("3s", 3_000), ("250ms", 250), ("2m", 120_000), ("1 hour", 3_600_000), ("5 s", 5_000)] {
            assert_eq!(read("json", time).map(|it| it.map(|it| it.period.as_millis())), Ok(Some(millis)), "{time}");
        }
    }

    #[test]
    fn a_wrong_value_is_explained() {
        let long = format!("unix:/tmp/{}", "y".repeat(103));
        for wrong in ["1", "json,", "unix:", "emf:", "emf:a b", "JSON", "tcp:1", &long] {
            let error = read(wrong, "").expect_err(wrong);
            assert_eq!(
                error,
                format!("the environment variable KCL_METRICS is `{wrong}`; set it to {FORMS}, or unset it")
            );
        }
        for wrong in ["0", "3", "99ms", "2h", "-1s", "s", "1d", "1m30s", "1.5s", "99999999999999999999"] {
            let error = read("json", wrong).expect_err(wrong);
            assert!(error.contains("KCL_METRICS_PERIOD is `") && error.contains(TIMES), "{error}");
        }
    }
}
