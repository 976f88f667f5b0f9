//! `--log-format`.

use clap::Args;

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
}
