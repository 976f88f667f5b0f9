//! Cargo: the packages of a workspace, and how it builds a program.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

/// The reason why cargo does not build a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CargoError {
    #[error("cargo cannot be started: {0}")]
    Start(io::Error),
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

/// The kind of a program that cargo builds.
#[derive(Clone, Copy, Debug)]
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
}

/// Builds this program, or the one that `cargo run` would run. Returns its name and its path.
pub(crate) fn build(
    target: Option<(Kind, &str)>,
    package: Option<&str>,
    release: bool,
) -> Result<(String, PathBuf), CargoError> {
    let (kind, name, package) = match target {
        Some((kind, name)) => (kind.name(), name.to_owned(), package.map(str::to_owned)),
        None => {
            let (name, package) = Workspace::load()?.default_binary(package)?;
            (Kind::Binary.name(), name, Some(package))
        }
    };
    let mut cargo = cargo();
    cargo.args(["build", "--message-format=json-render-diagnostics", &format!("--{kind}"), &name]);
    if let Some(package) = &package {
        cargo.args(["--package", package]);
    }
    if release {
        cargo.arg("--release");
    }
    let mut executables = build_executables(cargo, kind, &name)?;
    match (executables.pop(), executables.len()) {
        (Some(executable), 0) => Ok((name, executable)),
        (_, others) => Err(CargoError::Ambiguous { wanted: format!("--{kind} {name}"), built: others + 1 }),
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
fn build_executables(mut cargo: Command, kind: &str, name: &str) -> Result<Vec<PathBuf>, CargoError> {
    #[derive(Deserialize)]
    struct Artifact {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }

    let mut cargo = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(CargoError::Start)?;
    let mut executables = Vec::new();
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            // Cargo also prints messages of other kinds.
            let Ok(artifact) = serde_json::from_slice(&line.map_err(CargoError::Start)?) else { continue };
            if let Artifact { executable: Some(executable), target: Some(target) } = artifact
                && target.is(kind)
                && target.name == name
            {
                executables.push(executable);
            }
        }
    }
    let status = cargo.wait().map_err(CargoError::Start)?;
    if status.success() && !executables.is_empty() { Ok(executables) } else { Err(CargoError::Build) }
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
    fn load() -> Result<Self, CargoError> {
        let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit()).output();
        let output = output.map_err(CargoError::Start)?;
        if !output.status.success() {
            return Err(CargoError::NoPackage);
        }
        serde_json::from_slice(&output.stdout).map_err(CargoError::Metadata)
    }

    /// The binary that `cargo run` would run, and its package.
    fn default_binary(&self, package: Option<&str>) -> Result<(String, String), CargoError> {
        let candidates: Vec<&Package> = match package {
            Some(name) => {
                let named = self.packages.iter().filter(|package| package.name == name).collect::<Vec<_>>();
                if named.is_empty() {
                    return Err(CargoError::UnknownPackage(name.to_owned()));
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
            (None, _) => Err(CargoError::NoBinary),
            (Some(only), None) => Ok(only),
            _ => Err(CargoError::SeveralBinaries(binaries().map(|(name, _)| name).collect())),
        }
    }

    /// The package in the current folder, or in the nearest folder above it.
    fn current_package(&self) -> Option<&Package> {
        let here = std::env::current_dir().ok()?;
        let manifest = here.ancestors().map(|folder| folder.join("Cargo.toml")).find(|manifest| manifest.is_file())?;
        self.packages.iter().find(|package| package.manifest_path == manifest)
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
        assert_eq!(one.default_binary(None).unwrap(), ("orders".to_owned(), "orders".to_owned()));

        let default = workspace(&[("orders", Some("b"), &["a", "b"])]);
        assert_eq!(default.default_binary(None).unwrap().0, "b");
    }

    #[test]
    fn an_error_lists_the_binaries_to_choose_from() {
        let several = workspace(&[("orders", None, &["a", "b"]), ("library", None, &[])]);
        let error = several.default_binary(None).unwrap_err();
        assert_eq!(error.to_string(), "there are several binaries to run here; choose one with --bin NAME: a, b");
        assert!(matches!(several.default_binary(Some("library")), Err(CargoError::NoBinary)));
        assert!(matches!(several.default_binary(Some("lost")), Err(CargoError::UnknownPackage(_))));
    }
}
