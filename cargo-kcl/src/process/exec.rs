//! `__exec`: the short intermediate step between the tool and each of its processors.
//!
//! A process can only request its own death signal. For a program that does not request it, only code between fork and exec could
//! do so, and running code there needs `unsafe`. So the tool starts itself, makes the request, and becomes the program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::getppid;

use crate::exit::CANNOT_EXECUTE;
use crate::report;

/// The verb's name.
pub(crate) const VERB: &str = "__exec";

/// The way in which a process is ended when the tool ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Death {
    /// Kill it at once
    Kill,
    /// Ask it to end
    Terminate,
}

/// Becomes `command`. Linux and FreeBSD signal it when the thread that started it ends; elsewhere it must notice the end of its
/// input.
pub(crate) fn run(parent: i32, death: Death, command: &[OsString]) -> ExitCode {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        let signal = match death {
            Death::Kill => rustix::process::Signal::KILL,
            Death::Terminate => rustix::process::Signal::TERM,
        };
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(signal)) {
            report::error(format_args!("cannot make a process end with the tool: {error}"));
            return ExitCode::from(CANNOT_EXECUTE);
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let _ = death;
    // If the tool died before the request, no signal will ever come.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        return ExitCode::from(CANNOT_EXECUTE);
    }
    let [program, arguments @ ..] = command else { return ExitCode::from(CANNOT_EXECUTE) };
    let error = Command::new(program).args(arguments).exec();
    report::error(format_args!("{} cannot be started: {error}", program.display()));
    ExitCode::from(CANNOT_EXECUTE)
}
