//! The program of a processor: a command, or one to build first, as `cargo run` would.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use rustix::fs::{Access, access};

use super::cargo::{CargoError, Kind, build};
use crate::args::PROGRAM;

/// The program to run: one to build first, as `cargo run` would, or any command.
#[derive(Debug, Args)]
pub(crate) struct ProgramOptions {
    /// Build and run this example
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "bin")]
    pub(crate) example: Option<String>,

    /// Build and run this binary; by default the one that `cargo run` would run
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bin: Option<String>,

    /// Build this package
    #[arg(long, help_heading = PROGRAM, short, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) package: Option<String>,

    /// Build with optimizations
    #[arg(long, help_heading = PROGRAM, short)]
    pub(crate) release: bool,

    /// Run this command instead of building a program
    #[arg(last = true, help_heading = PROGRAM, value_name = "COMMAND", conflicts_with_all = ["example", "bin", "package", "release"])]
    pub(crate) command: Vec<OsString>,
}

impl ProgramOptions {
    /// Whether any option chooses the program.
    pub(crate) fn is_given(&self) -> bool {
        self.example.is_some() || self.bin.is_some() || self.package.is_some() || !self.command.is_empty()
    }

    fn target(&self) -> Option<(Kind, &str)> {
        let example = self.example.as_deref().map(|name| (Kind::Example, name));
        example.or(self.bin.as_deref().map(|name| (Kind::Binary, name)))
    }
}

/// A program that can be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// The name for people.
    pub(crate) name: String,
    /// The path and the arguments.
    pub(crate) command: Vec<OsString>,
}

/// The reason why there is no program to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("`{}` cannot be executed: it is neither the path of an executable file nor in PATH", .0.display())]
    NotExecutable(OsString),
    #[error(transparent)]
    Cargo(#[from] CargoError),
}

impl Program {
    /// Finds the given command, or builds the program if there is no command.
    pub(crate) fn prepare(options: &ProgramOptions) -> Result<Self, ProgramError> {
        let [program, arguments @ ..] = &options.command[..] else {
            let (name, executable) = build(options.target(), options.package.as_deref(), options.release)?;
            return Ok(Self { name, command: vec![executable.into()] });
        };
        let path = find(program).ok_or_else(|| ProgramError::NotExecutable(program.clone()))?;
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        let command = [path.into_os_string()].into_iter().chain(arguments.iter().cloned()).collect();
        Ok(Self { name, command })
    }
}

/// The file that a shell would run for this program name.
pub(crate) fn find(program: &OsStr) -> Option<PathBuf> {
    let executable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(executable);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_looked_up_as_a_shell_would() {
        assert!(find(OsStr::new("sh")).is_some_and(|path| path.is_absolute()));
        assert!(find(OsStr::new("/bin/sh")).is_some());
        assert!(find(OsStr::new("/")).is_none());
        assert!(find(OsStr::new("/dev/null")).is_none());
        assert!(find(OsStr::new("no-such-command-anywhere")).is_none());
    }
}
