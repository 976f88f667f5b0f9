//! Cargo: the options that are passed to it, the programs of a workspace, and how it builds one.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Deserialize;

use crate::args::PROGRAM;
use crate::report::{self, LogFormat, Prefix, Source, Speaker};
use crate::threads;

/// Options that are passed to cargo, which checks their values.
#[derive(Debug, Default, Args)]
pub(crate) struct CargoOptions {
    /// Build with optimizations
    #[arg(long, help_heading = PROGRAM, short)]
    release: bool,

    /// Build with this profile of cargo
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", conflicts_with = "release")]
    profile: Option<String>,

    /// Build with these features, separated by commas or spaces. May be given several times
    #[arg(long, help_heading = PROGRAM, short = 'F', value_name = "FEATURES")]
    features: Vec<String>,

    /// Build with all features
    #[arg(long, help_heading = PROGRAM)]
    all_features: bool,

    /// Build without the default features
    #[arg(long, help_heading = PROGRAM)]
    no_default_features: bool,

    /// Build in this folder instead of `target`
    #[arg(long, help_heading = PROGRAM, value_name = "DIR")]
    target_dir: Option<PathBuf>,

    /// Build a program of this Cargo.toml, or of its workspace, instead of the nearest one
    #[arg(long, help_heading = PROGRAM, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
}

impl CargoOptions {
    /// The options as arguments of `cargo build`.
    fn arguments(&self) -> Vec<OsString> {
        let flags = [
            ("--release", self.release),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
        ];
        let flags = flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag.into());
        let profile = self.profile.iter().map(|name| ("--profile", OsStr::new(name)));
        let features = self.features.iter().map(|names| ("--features", OsStr::new(names)));
        let target_dir = self.target_dir.iter().map(|path| ("--target-dir", path.as_os_str()));
        let manifest_path = self.manifest_path.iter().map(|path| ("--manifest-path", path.as_os_str()));
        let values = profile.chain(features).chain(target_dir).chain(manifest_path);
        flags.chain(values.map(|(option, value)| assigned(option, value))).collect()
    }

    /// The name of the first of these options that is given.
    pub(crate) fn given(&self) -> Option<String> {
        let first = self.arguments().first()?.to_string_lossy().into_owned();
        first.split('=').next().map(str::to_owned)
    }
}

/// An option and its value in one argument, so that a value that starts with `-` is not taken for an option.
fn assigned(option: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(option);
    argument.push("=");
    argument.push(value);
    argument
}

/// The reason why cargo does not build a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CargoError {
    #[error("cargo cannot be started: {0}")]
    Start(io::Error),
    #[error("cargo is not started with `{0}`, which contains a control character")]
    Argument(String),
    #[error("the processor does not build")]
    Build,
    #[error("cargo refused to build; if `{0}` is a profile of AWS, write --aws-profile {0}")]
    Profile(String),
    #[error("`{name}` is {}; write {}", .is.article(), .is.option(name))]
    OtherKind { name: String, is: Kind },
    #[error(
        "cargo finds no package here; name one with --manifest-path PATH, or give the command to run after `--`, as in: cargo kcl local \
         --input FILE -- target/debug/my-processor"
    )]
    NoPackage,
    #[error("cargo finds no package with --manifest-path {}", .0.display())]
    NotAManifest(PathBuf),
    #[error("cannot parse the output of `cargo metadata`: {0}")]
    Metadata(serde_json::Error),
    #[error("no package `{0}` in this workspace")]
    UnknownPackage(String),
    #[error(
        "there is no binary to run here; choose an example with --example NAME{} or another package with --package NAME, or give a command \
         after `--`",
        listed(.examples)
    )]
    NoBinary { examples: Vec<String> },
    #[error(
        "there are several binaries to run here; choose one with --bin NAME{}{}",
        listed(.binaries),
        if .examples.is_empty() { String::new() } else { format!(", or an example with --example NAME{}", listed(.examples)) },
    )]
    SeveralBinaries { binaries: Vec<String>, examples: Vec<String> },
    #[error("cargo built {built} executables for {wanted}; choose the package with --package NAME")]
    Ambiguous { wanted: String, built: usize },
}

/// The first names, in parentheses.
fn listed(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST { ", …" } else { "" };
    match names {
        [] => String::new(),
        names => format!(" ({}{more})", names[..names.len().min(MOST)].join(", ")),
    }
}

/// The kind of a program that cargo builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Example,
    Binary,
}

impl Kind {
    /// The name in cargo's options and messages.
    fn name(self) -> &'static str {
        match self {
            Self::Example => "example",
            Self::Binary => "bin",
        }
    }

    fn article(self) -> &'static str {
        match self {
            Self::Example => "an example, not a binary",
            Self::Binary => "a binary, not an example",
        }
    }

    /// The option that chooses the program of this name.
    fn option(self, name: &str) -> String {
        format!("--{} {name}", self.name())
    }
}

/// Builds this program, or the one that `cargo run` would run. Returns its name and its path.
pub(crate) fn build(
    target: Option<(Kind, &str)>,
    package: Option<&str>,
    options: &CargoOptions,
) -> Result<(String, PathBuf), CargoError> {
    let (kind, name, package) = match target {
        Some((kind, name)) => (kind, name.to_owned(), package.map(str::to_owned)),
        None => {
            let manifest = options.manifest_path.as_deref();
            let (name, package) = Workspace::load(manifest)?.default_binary(package, manifest)?;
            (Kind::Binary, name, Some(package))
        }
    };
    let mut cargo = cargo();
    cargo.args(["build", "--message-format=json-render-diagnostics"]).args(options.arguments());
    cargo.arg(format!("--{}={name}", kind.name())).args(package.map(|package| format!("--package={package}")));
    let mut built = run(cargo, kind, &name)?;
    if !built.succeeded {
        return Err(if built.began { CargoError::Build } else { refusal(kind, name, options) });
    }
    match (built.executables.pop(), built.executables.len()) {
        (Some(executable), 0) => Ok((name, executable)),
        (None, _) => Err(CargoError::Build),
        (Some(_), others) => Err(CargoError::Ambiguous { wanted: kind.option(&name), built: others + 1 }),
    }
}

/// The reason why cargo did not begin to build, as far as it can be guessed. Cargo has printed its own.
fn refusal(kind: Kind, name: String, options: &CargoOptions) -> CargoError {
    if let Some(profile) = &options.profile {
        return CargoError::Profile(profile.clone());
    }
    match kind_of(&name, options.manifest_path.as_deref()) {
        Some(is) if is != kind => CargoError::OtherKind { name, is },
        _ => CargoError::Build,
    }
}

/// The kind of the program that has this name in the workspace.
fn kind_of(name: &str, manifest: Option<&Path>) -> Option<Kind> {
    let workspace = Workspace::load_with(manifest, Stdio::null()).ok()?;
    let has = |kind| workspace.packages.iter().any(|package| package.programs(kind).any(|program| program == name));
    [Kind::Binary, Kind::Example].into_iter().find(|kind| has(*kind))
}

/// The option that runs the program of this name, if the workspace has one.
pub(crate) fn option_for(name: &str) -> Option<String> {
    kind_of(name, None).map(|kind| kind.option(name))
}

/// The folder of the workspace's Cargo.toml, if there is one.
pub(crate) fn workspace_root(manifest: Option<&Path>) -> Option<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["locate-project", "--workspace", "--message-format", "plain"]).stderr(Stdio::null());
    cargo.args(manifest.map(|path| assigned("--manifest-path", path.as_os_str())));
    let output = cargo.output().ok().filter(|output| output.status.success())?;
    let manifest = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end_matches('\n'));
    manifest.parent().map(Path::to_owned)
}

/// The cargo that runs this tool, or else the one in PATH.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The result of a `cargo build`.
struct Built {
    /// Whether anything was compiled, or found to be up to date.
    began: bool,
    succeeded: bool,
    /// The paths of the programs of the wanted name.
    executables: Vec<PathBuf>,
}

/// Runs a `cargo build` for this program. Its progress and errors go to stderr.
fn run(mut cargo: Command, kind: Kind, name: &str) -> Result<Built, CargoError> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }

    // Cargo would print it as it is.
    let mut arguments = cargo.get_args().map(OsStr::to_string_lossy);
    if let Some(argument) = arguments.find(|argument| argument.contains(report::is_control)) {
        return Err(CargoError::Argument(argument.into_owned()));
    }
    drop(arguments);
    // As JSON, cargo's own lines need a form as well.
    let own_form = report::format() == LogFormat::Json;
    let stderr = if own_form { Stdio::piped() } else { Stdio::inherit() };
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut cargo = cargo.spawn().map_err(CargoError::Start)?;
    let pump = cargo.stderr.take().map(|stderr| {
        let speaker = Speaker::new(Source::Build, Prefix::Name("cargo"));
        threads::spawn(move || report::pump(stderr, speaker, |_| {}))
    });
    let pump = pump.transpose().map_err(CargoError::Start)?;
    let mut built = Built { began: false, succeeded: false, executables: Vec::new() };
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            // Programs that the build runs may print lines of their own.
            let Ok(message) = serde_json::from_slice(&line.map_err(CargoError::Start)?) else { continue };
            built.began = true;
            if let Message { executable: Some(executable), target: Some(target) } = message
                && target.is(kind)
                && target.name == name
            {
                built.executables.push(executable);
            }
        }
    }
    built.succeeded = cargo.wait().map_err(CargoError::Start)?.success();
    if let Some(pump) = pump {
        _ = pump.join();
    }
    Ok(built)
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

impl Package {
    /// The names of its programs of this kind.
    fn programs(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(move |target| target.is(kind)).map(|target| &*target.name)
    }
}

impl Target {
    fn is(&self, kind: Kind) -> bool {
        self.kind.iter().any(|own| own == kind.name())
    }
}

impl Workspace {
    fn load(manifest: Option<&Path>) -> Result<Self, CargoError> {
        Self::load_with(manifest, Stdio::piped())
    }

    /// Loads it with this stderr for cargo.
    fn load_with(manifest: Option<&Path>, stderr: Stdio) -> Result<Self, CargoError> {
        let mut cargo = cargo();
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]).stdin(Stdio::null()).stderr(stderr);
        cargo.args(manifest.map(|path| assigned("--manifest-path", path.as_os_str())));
        let output = cargo.output().map_err(CargoError::Start)?;
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            report::pass_on(Speaker::new(Source::Build, Prefix::None), line);
        }
        if !output.status.success() {
            return Err(manifest.map_or(CargoError::NoPackage, |path| CargoError::NotAManifest(path.to_owned())));
        }
        serde_json::from_slice(&output.stdout).map_err(CargoError::Metadata)
    }

    /// The binary that `cargo run` would run, and the id of its package. A dependency may have the same name.
    fn default_binary(&self, package: Option<&str>, manifest: Option<&Path>) -> Result<(String, String), CargoError> {
        let candidates: Vec<&Package> = match package {
            Some(name) => {
                let named = self.packages.iter().filter(|package| package.name == name).collect::<Vec<_>>();
                if named.is_empty() {
                    return Err(CargoError::UnknownPackage(name.to_owned()));
                }
                named
            }
            None => match self.current_package(manifest) {
                Some(package) => vec![package],
                None => self
                    .packages
                    .iter()
                    .filter(|package| self.workspace_default_members.contains(&package.id))
                    .collect(),
            },
        };
        let mut defaults =
            candidates.iter().filter_map(|package| Some((package.default_run.clone()?, package.id.clone())));
        if let (Some(default), None) = (defaults.next(), defaults.next()) {
            return Ok(default);
        }
        let names =
            |kind| candidates.iter().flat_map(move |package| package.programs(kind).map(str::to_owned)).collect();
        let mut binaries = candidates
            .iter()
            .flat_map(|package| package.programs(Kind::Binary).map(|name| (name.to_owned(), package.id.clone())));
        match (binaries.next(), binaries.next()) {
            (None, _) => Err(CargoError::NoBinary { examples: names(Kind::Example) }),
            (Some(only), None) => Ok(only),
            _ => Err(CargoError::SeveralBinaries { binaries: names(Kind::Binary), examples: names(Kind::Example) }),
        }
    }

    /// The package of this manifest, or else of the current folder or the nearest folder above it.
    fn current_package(&self, manifest: Option<&Path>) -> Option<&Package> {
        let manifest = match manifest {
            Some(manifest) => manifest.to_owned(),
            None => {
                let here = std::env::current_dir().ok()?;
                here.ancestors().map(|folder| folder.join("Cargo.toml")).find(|manifest| manifest.is_file())?
            }
        };
        let manifest = manifest.canonicalize().ok()?;
        self.packages.iter().find(|package| package.manifest_path.canonicalize().is_ok_and(|path| path == manifest))
    }
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
        assert_eq!(one.default_binary(None, None).unwrap(), ("orders".to_owned(), "orders".to_owned()));

        let default = workspace(&[("orders", Some("b"), &["a", "b"])]);
        assert_eq!(default.default_binary(None, None).unwrap().0, "b");
    }

    #[test]
    fn an_error_lists_the_binaries_to_choose_from() {
        let several = workspace(&[("orders", None, &["a", "b"]), ("library", None, &[])]);
        let error = several.default_binary(None, None).unwrap_err();
        assert_eq!(error.to_string(), "there are several binaries to run here; choose one with --bin NAME (a, b)");
        assert!(matches!(several.default_binary(Some("library"), None), Err(CargoError::NoBinary { .. })));
        assert!(matches!(several.default_binary(Some("lost"), None), Err(CargoError::UnknownPackage(_))));
    }
}
