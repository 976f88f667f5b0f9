//! The installed tool, which runs the verbs and options that a build without all features lacks.
//!
//! `cargo kcl` in the clone is such a build. It has the same command line as the complete tool.

/// The tool's version, and its features, which another build of the tool asks for.
pub(crate) const VERSION: &str = match (cfg!(feature = "aws"), cfg!(feature = "metrics")) {
    (true, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: aws, metrics)"),
    (true, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: aws)"),
    (false, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: metrics)"),
    (false, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: none)"),
};

#[cfg(not(all(feature = "aws", feature = "metrics")))]
pub(crate) use run::run;

#[cfg(not(all(feature = "aws", feature = "metrics")))]
mod run {
    use std::env;
    use std::ffi::OsString;
    use std::os::unix::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, ExitCode, Stdio};

    use super::{Build, build};
    use crate::exit::{CANNOT_EXECUTE, WRONG_USE};
    use crate::process::program::find;
    use crate::report;

    /// The name of the tool's executable.
    const NAME: &str = "cargo-kcl";

    /// Becomes the installed tool, with the same arguments, or prints the command that installs it.
    pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
        let installed: Vec<_> = candidates().into_iter().filter_map(|path| Some((ask(&path)?, path))).collect();
        if let Some((_, path)) = installed.iter().find(|(build, _)| *build == Build::Complete) {
            // It has the features, so it does not come here: this never repeats.
            let error = Command::new(path).args(arguments.iter().skip(1)).exec();
            report::error(format_args!("{} cannot be started: {error}", path.display()));
            return ExitCode::from(CANNOT_EXECUTE);
        }
        let instead = match installed.first() {
            Some((Build::Version(version), path)) => {
                format!(", version {}, but {} is version {version}", env!("CARGO_PKG_VERSION"), path.display())
            }
            Some((_, path)) => format!(", but {} was built without some of its features", path.display()),
            None => String::new(),
        };
        report::line(format_args!(
            "this needs the complete tool{instead}: run `cargo install --locked --path {}`, which takes 5 to 10 minutes; then run \
             your command again",
            report::quoted(env!("CARGO_MANIFEST_DIR")),
        ));
        ExitCode::from(WRONG_USE)
    }

    /// The installed tools: those in PATH, and the one where `cargo install` puts it.
    fn candidates() -> Vec<PathBuf> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let path = set("PATH").unwrap_or_default();
        let cargo_home = set("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home.or_else(|| set("HOME").map(|home| Path::new(&home).join(".cargo")));
        let folders = env::split_paths(&path).chain(cargo_home.map(|home| home.join("bin")));
        let paths = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(NAME));
        paths.filter_map(|path| find(path.as_os_str())).collect()
    }

    /// Asks a tool what it is.
    fn ask(path: &Path) -> Option<Build> {
        let output = Command::new(path).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        build(&String::from_utf8_lossy(&output.stdout))
    }
}

/// An installed build of the tool.
#[cfg(any(test, not(all(feature = "aws", feature = "metrics"))))]
#[derive(Debug, PartialEq, Eq)]
enum Build {
    /// This version, with all features.
    Complete,
    /// This version, without some of them.
    Incomplete,
    /// Another version.
    Version(String),
}

/// The build that prints this text for `--version`, if it is one of this tool.
#[cfg(any(test, not(all(feature = "aws", feature = "metrics"))))]
fn build(text: &str) -> Option<Build> {
    let text = text.trim_end().strip_prefix("cargo-kcl ")?;
    let (version, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match rest {
        _ if version != env!("CARGO_PKG_VERSION") => Build::Version(crate::report::excerpt(version)),
        "(features: aws, metrics)" => Build::Complete,
        _ => Build::Incomplete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_known_by_its_version() {
        let own = if cfg!(all(feature = "aws", feature = "metrics")) { Build::Complete } else { Build::Incomplete };
        assert_eq!(build(&format!("cargo-kcl {VERSION}\n")), Some(own));
        assert_eq!(build(concat!("cargo-kcl ", env!("CARGO_PKG_VERSION"))), Some(Build::Incomplete));
        assert_eq!(build("cargo-kcl 99.0.0 (features: aws)\n"), Some(Build::Version("99.0.0".to_owned())));
        for text in ["", "cargo 1.95.0", "error"] {
            assert_eq!(build(text), None);
        }
    }
}
