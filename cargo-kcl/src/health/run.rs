//! Asks a run whether it is healthy.

use std::process::ExitCode;

use super::HealthOptions;
use crate::exit::FAILED;
use crate::metrics::client::Run;
use crate::report;

/// Runs the verb.
pub(crate) fn run(options: &HealthOptions) -> ExitCode {
    let run = Run::new(&options.run);
    let path = if options.ready { "/readyz" } else { "/livez" };
    match run.ask(path, options.timeout) {
        Ok(answer) if answer.code == 200 => ExitCode::SUCCESS,
        Ok(answer) => {
            answer.body.lines().for_each(report::error);
            ExitCode::from(FAILED)
        }
        Err(error) => {
            report::error(error);
            ExitCode::from(FAILED)
        }
    }
}
