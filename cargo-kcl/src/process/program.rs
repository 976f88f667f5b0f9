//! The program of a processor: a command, or one to build first, as `cargo run` would.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use rustix::fs::{Access, access};

use super::cargo::{CargoError, CargoOptions, Kind, build, option_for};
use crate::args::PROGRAM;
use crate::report::excerpt;

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

    #[command(flatten)]
    pub(crate) cargo: CargoOptions,

    /// With --example, --bin or --package, the arguments of the processor; otherwise a command to run instead of building
    #[arg(last = true, help_heading = PROGRAM, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl ProgramOptions {
    /// Whether any option chooses the program.
    pub(crate) fn is_given(&self) -> bool {
        self.names_target() || self.cargo.given().is_some() || !self.command.is_empty()
    }

    /// The arguments of the processor.
    pub(crate) fn arguments(&self) -> &[OsString] {
        self.parts().1
    }

    /// The command's program, if there is one, and the arguments of the processor.
    fn parts(&self) -> (Option<&OsString>, &[OsString]) {
        match &self.command[..] {
            [program, arguments @ ..] if !self.names_target() => (Some(program), arguments),
            arguments => (None, arguments),
        }
    }

    /// Whether an option names what to build.
    fn names_target(&self) -> bool {
        self.example.is_some() || self.bin.is_some() || self.package.is_some()
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
    #[error("`{}` cannot be executed: {why}", excerpt(.program.as_encoded_bytes()))]
    NotExecutable { program: OsString, why: String },
    #[error(
        "{option} is an option for a build, but nothing is built if a command follows `--`; with --bin, --example or --package, the \
         arguments of the processor follow `--`{}",
        if .option == "--profile" { "; a profile of AWS is named with --aws-profile" } else { "" }
    )]
    NotBuilt { option: String },
    #[error(transparent)]
    Cargo(#[from] CargoError),
}

impl Program {
    /// Finds the given command, or builds the program if there is no command.
    pub(crate) fn prepare(options: &ProgramOptions) -> Result<Self, ProgramError> {
        let (program, arguments) = options.parts();
        let (name, path) = match (program, options.cargo.given()) {
            (None, _) => build(options.target(), options.package.as_deref(), &options.cargo)?,
            (Some(_), Some(option)) => return Err(ProgramError::NotBuilt { option }),
            (Some(program), None) => {
                let not_executable = || ProgramError::NotExecutable { program: program.clone(), why: why_not(program) };
                let path = find(program).ok_or_else(not_executable)?;
                (Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned(), path)
            }
        };
        let command = [path.into_os_string()].into_iter().chain(arguments.iter().cloned()).collect();
        Ok(Self { name, command })
    }
}

/// The reason why a program cannot be executed, with what was probably meant.
fn why_not(program: &OsStr) -> String {
    let text = program.to_string_lossy();
    let first = text.split(' ').next().unwrap_or_default();
    if Path::new(program).is_file() {
        return "this file is not executable; `chmod +x` makes a script executable".to_owned();
    }
    if text.starts_with('-') {
        return "a command follows `--`, and the options of the tool come before it; with --bin NAME, --example NAME or --package NAME, the \
                arguments of the processor follow it"
            .to_owned();
    }
    let nowhere = "it is neither the path of an executable file nor in PATH";
    if first != text && find(OsStr::new(first)).is_some() {
        return format!("{nowhere}; if it is a command with arguments, leave out the quotes around it");
    }
    match option_for(&text) {
        Some(option) => format!("{nowhere}; to build and run the program of this name, write {option}"),
        None => nowhere.to_owned(),
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
