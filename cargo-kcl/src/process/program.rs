//! Finding a processor's program, and building it as `cargo run` would.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use rustix::fs::{Access, access};
use serde::Deserialize;

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
    #[error("cargo cannot be started: {0}")]
    Cargo(io::Error),
    #[error("the processor does not build")]
    Build,
    #[error(
        "cargo finds no package here; give the command to run after `--`, as in: cargo kcl local --input FILE -- target/debug/my-processor"
    )]
    NoPackage,
    #[error("cannot parse the output of `cargo metadata`: {0}")]
    Metadata(serde_json::Error),
    #[error("no package `{0}` in this workspace")]
    UnknownPackage(String),
    #[error(
        "there is no binary to run here; choose one with --example NAME or --package NAME, or give a command after `--`"
    )]
    NoBinary,
    #[error("there are several binaries to run here; choose one with --bin NAME{}", listed(.0))]
    SeveralBinaries(Vec<String>),
    #[error("cargo built {built} executables for {wanted}; choose the package with --package NAME")]
    Ambiguous { wanted: String, built: usize },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

impl Program {
    /// Finds the given command, or builds the program if there is no command.
    pub(crate) fn prepare(options: &ProgramOptions) -> Result<Self, ProgramError> {
        let [program, arguments @ ..] = &options.command[..] else { return Self::build(options) };
        let path = find(program).ok_or_else(|| ProgramError::NotExecutable(program.clone()))?;
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        let command = [path.into_os_string()].into_iter().chain(arguments.iter().cloned()).collect();
        Ok(Self { name, command })
    }

    fn build(options: &ProgramOptions) -> Result<Self, ProgramError> {
        let (kind, name, package) = match (&options.example, &options.bin) {
            (Some(name), _) => ("example", name.clone(), options.package.clone()),
            (None, Some(name)) => ("bin", name.clone(), options.package.clone()),
            (None, None) => {
                let (name, package) = Workspace::load()?.default_binary(options.package.as_deref())?;
                ("bin", name, Some(package))
            }
        };
        let mut cargo = cargo();
        cargo.args(["build", "--message-format=json-render-diagnostics", &format!("--{kind}"), &name]);
        if let Some(package) = &package {
            cargo.args(["--package", package]);
        }
        if options.release {
            cargo.arg("--release");
        }
        let mut executables = build_executables(cargo, kind, &name)?;
        match (executables.pop(), executables.len()) {
            (Some(executable), 0) => Ok(Self { name, command: vec![executable.into()] }),
            (_, others) => Err(ProgramError::Ambiguous { wanted: format!("--{kind} {name}"), built: others + 1 }),
        }
    }
}

/// The folder of the workspace's Cargo.toml, if there is one.
pub(crate) fn workspace_root() -> Option<PathBuf> {
    let output =
        cargo().args(["locate-project", "--workspace", "--message-format", "plain"]).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    let manifest = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end_matches('\n'));
    manifest.parent().map(Path::to_owned)
}

/// The cargo that runs this tool, or else the one in PATH.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a `cargo build`, and returns the paths of the executables that its output names. Its progress and errors go to stderr.
fn build_executables(mut cargo: Command, kind: &str, name: &str) -> Result<Vec<PathBuf>, ProgramError> {
    #[derive(Deserialize)]
    struct Artifact {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }

    let mut cargo = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(ProgramError::Cargo)?;
    let mut executables = Vec::new();
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            // Cargo also prints messages of other kinds.
            let Ok(artifact) = serde_json::from_slice(&line.map_err(ProgramError::Cargo)?) else { continue };
            if let Artifact { executable: Some(executable), target: Some(target) } = artifact
                && target.is(kind)
                && target.name == name
            {
                executables.push(executable);
            }
        }
    }
    let status = cargo.wait().map_err(ProgramError::Cargo)?;
    if status.success() && !executables.is_empty() { Ok(executables) } else { Err(ProgramError::Build) }
}

/// The parts of `cargo metadata` that decide what `cargo run` would run.
#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Target {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

impl Workspace {
    fn load() -> Result<Self, ProgramError> {
        let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit()).output();
        let output = output.map_err(ProgramError::Cargo)?;
        if !output.status.success() {
            return Err(ProgramError::NoPackage);
        }
        serde_json::from_slice(&output.stdout).map_err(ProgramError::Metadata)
    }

    /// The binary that `cargo run` would run, and its package.
    fn default_binary(&self, package: Option<&str>) -> Result<(String, String), ProgramError> {
        let candidates: Vec<&Package> = match package {
            Some(name) => {
                let named = self.packages.iter().filter(|package| package.name == name).collect::<Vec<_>>();
                if named.is_empty() {
                    return Err(ProgramError::UnknownPackage(name.to_owned()));
                }
                named
            }
            None => match self.current_package() {
                Some(package) => vec![package],
                None => self
                    .packages
                    .iter()
                    .filter(|package| self.workspace_default_members.contains(&package.id))
                    .collect(),
            },
        };
        let binaries = || {
            candidates.iter().flat_map(|package| {
                let binaries = package.targets.iter().filter(|target| target.is("bin"));
                binaries.map(|target| (target.name.clone(), package.name.clone()))
            })
        };
        let mut defaults =
            candidates.iter().filter_map(|package| Some((package.default_run.clone()?, package.name.clone())));
        if let (Some(default), None) = (defaults.next(), defaults.next()) {
            return Ok(default);
        }
        let mut found = binaries();
        match (found.next(), found.next()) {
            (None, _) => Err(ProgramError::NoBinary),
            (Some(only), None) => Ok(only),
            _ => Err(ProgramError::SeveralBinaries(binaries().map(|(name, _)| name).collect())),
        }
    }

    /// The package in the current folder, or in the nearest folder above it.
    fn current_package(&self) -> Option<&Package> {
        let here = std::env::current_dir().ok()?;
        let manifest = here.ancestors().map(|folder| folder.join("Cargo.toml")).find(|manifest| manifest.is_file())?;
        self.packages.iter().find(|package| package.manifest_path == manifest)
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

    fn workspace(packages: &[(&str, Option<&str>, &[&str])]) -> Workspace {
        let packages = packages.iter().map(|(name, default_run, binaries)| Package {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            manifest_path: format!("/nowhere/{name}/Cargo.toml").into(),
            default_run: default_run.map(str::to_owned),
            targets: binaries
                .iter()
                .map(|name| Target { name: (*name).to_owned(), kind: vec!["bin".to_owned()] })
                .collect(),
        });
        let packages: Vec<_> = packages.collect();
        Workspace { workspace_default_members: packages.iter().map(|package| package.id.clone()).collect(), packages }
    }

    #[test]
    fn takes_the_only_binary_or_the_default_one() {
        let one = workspace(&[("library", None, &[]), ("orders", None, &["orders"])]);
        assert_eq!(one.default_binary(None).unwrap(), ("orders".to_owned(), "orders".to_owned()));

        let default = workspace(&[("orders", Some("b"), &["a", "b"])]);
        assert_eq!(default.default_binary(None).unwrap().0, "b");
    }

    #[test]
    fn an_error_lists_the_binaries_to_choose_from() {
        let several = workspace(&[("orders", None, &["a", "b"]), ("library", None, &[])]);
        let error = several.default_binary(None).unwrap_err();
        assert_eq!(error.to_string(), "there are several binaries to run here; choose one with --bin NAME: a, b");
        assert!(matches!(several.default_binary(Some("library")), Err(ProgramError::NoBinary)));
        assert!(matches!(several.default_binary(Some("lost")), Err(ProgramError::UnknownPackage(_))));
    }

    #[test]
    fn a_command_is_looked_up_as_a_shell_would() {
        assert!(find(OsStr::new("sh")).is_some_and(|path| path.is_absolute()));
        assert!(find(OsStr::new("/bin/sh")).is_some());
        assert!(find(OsStr::new("/")).is_none());
        assert!(find(OsStr::new("/dev/null")).is_none());
        assert!(find(OsStr::new("no-such-command-anywhere")).is_none());
    }
}
