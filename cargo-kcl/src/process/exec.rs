//! `__exec`: what stands between the tool and each of its processors for a moment.
//!
//! A process can only ask for its own death with its parent, and only the code between fork and exec could ask on behalf of a
//! program that knows nothing of it; to run code there takes `unsafe`. So the tool starts itself, asks, and becomes the program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::getppid;

use crate::exit::CANNOT_EXECUTE;
use crate::report;

/// The verb's name.
pub(crate) const VERB: &str = "__exec";

/// How a process dies when the tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Death {
    /// At once.
    Kill,
    /// It is asked to end.
    Terminate,
}

/// Becomes `command`. Linux and FreeBSD kill it when the thread that started it ends; elsewhere the end of its input has to do.
pub(crate) fn run(parent: i32, death: Death, command: &[OsString]) -> ExitCode {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        let signal = match death {
            Death::Kill => rustix::process::Signal::KILL,
            Death::Terminate => rustix::process::Signal::TERM,
        };
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(signal)) {
            report::line(format_args!("a process could not be bound to the tool's life: {error}"));
            return ExitCode::from(CANNOT_EXECUTE);
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let _ = death;
    // The tool may have died before the request: then nobody is there to send anything.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        return ExitCode::from(CANNOT_EXECUTE);
    }
    let [program, arguments @ ..] = command else { return ExitCode::from(CANNOT_EXECUTE) };
    let error = Command::new(program).args(arguments).exec();
    report::line(format_args!("{} cannot be started: {error}", program.display()));
    ExitCode::from(CANNOT_EXECUTE)
}
