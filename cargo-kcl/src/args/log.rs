//! `--log-format`.

use std::ffi::OsString;

use clap::{Args, ValueEnum as _};

use super::REPORT;
use crate::report::{self, LogFormat};

/// The form of what a run says.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// Form of everything on stderr: text for people; json for one object per line, whoever wrote it; or raw, which is text except that
    /// the lines of processors are passed on byte for byte
    #[arg(long, help_heading = REPORT, value_enum, value_name = "text|json|raw", default_value_t = LogFormat::Text, hide_possible_values = true)]
    pub(crate) log_format: LogFormat,
}

impl LogOptions {
    /// Uses this form from now on.
    pub(crate) fn apply(&self) {
        report::use_format(self.log_format);
    }

    /// Uses the form that the arguments of a wrong command line seem to ask for, if there is one.
    pub(crate) fn apply_from(arguments: &[OsString]) {
        let texts = arguments.iter().map_while(|argument| argument.to_str()).take_while(|argument| *argument != "--");
        let joined = texts.collect::<Vec<_>>().join("=");
        let value = joined.split_once("--log-format=").and_then(|(_, rest)| rest.split('=').next());
        if let Some(format) = value.and_then(|value| LogFormat::from_str(value, false).ok()) {
            report::use_format(format);
        }
    }
}
