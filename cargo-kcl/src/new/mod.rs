//! `cargo kcl new`: writes a starter project that builds, passes its tests and runs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::disk;
use crate::exit::WRONG_USE;
use crate::process::cargo::workspace_root;
use crate::process::program::find;
use crate::report;

mod name;
mod workspace;

use self::name::NameError;
use self::workspace::WorkspaceError;

/// Create a starter project: a processor that builds, passes its tests and runs
///
/// The folder gets a Cargo.toml, a `#[kcl::processor]` with tests in src/main.rs, a few records, a README and a .gitignore.
/// Existing files are never touched. Missing folders above the project are created. The project becomes a member of a workspace around
/// it if the `members` there cover it.
///
/// `kcl` is not published yet, so say where it comes from with --path or --git. Inside a clone of its repository, that clone is the
/// default.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the project was created, 2 usage error or the project cannot be written.\n\n\
                  Examples:\n  cargo kcl new orders --git https://example.org/kcl.git\n  \
                  cargo kcl new ../orders --path ~/src/kcl")]
pub(crate) struct NewOptions {
    /// Folder to create; its last component is the project's name
    #[arg(value_name = "NAME")]
    name: PathBuf,

    /// Folder of the `kcl` crate, or of the clone that contains it
    #[arg(long, value_name = "DIR_OF_KCL", conflicts_with = "git")]
    path: Option<PathBuf>,

    /// URL of a git repository that contains `kcl`
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

/// The reason why a project was not created.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{} already exists; choose another name, or remove it first", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error(
        "cannot tell where `kcl` comes from: {}give the folder of `kcl` with --path DIR, or its repository with --git URL. \
         (The crate of that name that `cargo add` finds is a different one.)",
        of_the_tool(.clone.as_deref())
    )]
    NoSource { clone: Option<PathBuf> },
    #[error("{} cannot be created: {error}", project.display())]
    Workspace { project: PathBuf, error: WorkspaceError },
    #[error("{} is not the folder of `kcl`: {why}", path.display())]
    NotKcl { path: PathBuf, why: String },
    #[error("the path {} is not valid UTF-8, as Cargo.toml requires; move the folder, or use --git URL", .0.display())]
    NotUtf8(PathBuf),
    #[error(
        "cargo does not accept `{0}` as a URL; write one such as https://example.org/kcl.git, ssh://git@example.org/kcl.git or file:///srv/kcl.git"
    )]
    Url(String),
}

/// Runs the verb.
pub(crate) fn run(options: &NewOptions) -> ExitCode {
    match create(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(error);
            ExitCode::from(WRONG_USE)
        }
    }
}

fn create(options: &NewOptions) -> Result<(), NewError> {
    let folder = &options.name;
    let name = name::of(folder)?;
    let kcl = Kcl::find(options)?;
    if folder.symlink_metadata().is_ok() {
        return Err(NewError::Exists(folder.clone()));
    }
    let files = files(name, &kcl)?;
    let above = disk::folder_of(folder);
    let missing: Vec<_> = above.ancestors().take_while(|above| !above.exists()).collect();
    if let Err(error) = place(folder, above, &files) {
        // Only empty folders can be removed in this way.
        for above in missing {
            _ = fs::remove_dir(above);
        }
        return Err(error);
    }
    report::line(format_args!("created a processor in {}. Next, in that folder:", folder.display()));
    report::result("  cargo test");
    report::result(format_args!("  {} local --input orders.jsonl --key /customer --shards 2", tool(folder)));
    Ok(())
}

/// The files of a project: their paths in its folder, and their contents.
fn files(name: &str, kcl: &Kcl) -> Result<[(&'static str, String); 5], NewError> {
    Ok([
        ("Cargo.toml", manifest(name, kcl)?),
        ("src/main.rs", include_str!("template/main.rs").to_owned()),
        ("orders.jsonl", include_str!("template/orders.jsonl").to_owned()),
        ("README.md", include_str!("template/README.md").replace("{name}", name).replace("{install}", &kcl.install())),
        (".gitignore", "/target\n/.kcl\n".to_owned()),
    ])
}

/// Creates the folder of a project with these files, in the folder above it, which may be missing.
fn place(folder: &Path, above: &Path, files: &[(&str, String)]) -> Result<(), NewError> {
    let failed = |error| NewError::Write { path: folder.to_owned(), error };
    fs::create_dir_all(above).map_err(failed)?;
    let worked = workspace::check(above).is_ok();
    // The folder appears complete: half a project is of no use.
    let temporary = above.join(format!(".new-{}", std::process::id()));
    fs::create_dir(&temporary).map_err(failed)?;
    if let Err(error) = write(&temporary, files).and_then(|()| fs::rename(&temporary, folder)) {
        _ = fs::remove_dir_all(&temporary);
        return Err(failed(error));
    }
    workspace::settle(folder, above, worked).map_err(|error| {
        _ = fs::remove_dir_all(folder);
        NewError::Workspace { project: folder.to_owned(), error }
    })
}

fn write(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    fs::create_dir(folder.join("src"))?;
    files.iter().try_for_each(|(file, content)| fs::write(folder.join(file), content))
}

/// The source of the dependency on `kcl`.
enum Kcl {
    Folder(PathBuf),
    Git(String),
}

impl Kcl {
    /// The command that installs the tool from the same source.
    fn install(&self) -> String {
        match self {
            Self::Folder(kcl) => {
                let tool = kcl.with_file_name("cargo-kcl");
                format!("cargo install --locked --path {}", report::quoted(&tool.to_string_lossy()))
            }
            Self::Git(url) => format!("cargo install --locked --git {} cargo-kcl", report::quoted(url)),
        }
    }

    fn find(options: &NewOptions) -> Result<Self, NewError> {
        if let Some(url) = &options.git {
            return if url.contains("://") { Ok(Self::Git(url.clone())) } else { Err(NewError::Url(url.clone())) };
        }
        if let Some(path) = &options.path {
            let within = if is_kcl(&path.join("kcl")).is_ok() { path.join("kcl") } else { path.clone() };
            let not_kcl = |why| NewError::NotKcl { path: path.clone(), why };
            is_kcl(&within).map_err(not_kcl)?;
            return within.canonicalize().map(Self::Folder).map_err(|error| not_kcl(error.to_string()));
        }
        let of_clone = workspace_root(None).and_then(|root| root.join("kcl").canonicalize().ok());
        of_clone.filter(|folder| is_kcl(folder).is_ok()).map(Self::Folder).ok_or_else(|| NewError::NoSource {
            clone: Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(clone_at),
        })
    }
}

/// Suggests the clone that this tool was built from, if it is known.
fn of_the_tool(clone: Option<&Path>) -> String {
    let path = |clone: &Path| report::quoted(&clone.to_string_lossy());
    clone.map_or(String::new(), |clone| {
        format!("add --path {}, the clone that this tool was built from. Or ", path(clone))
    })
}

/// The folder, if it is a clone with `kcl`. A checkout that cargo made is not one, because cargo may remove it.
fn clone_at(folder: &Path) -> Option<PathBuf> {
    let is_clone = is_kcl(&folder.join("kcl")).is_ok() && !folder.join(".cargo-ok").exists();
    is_clone.then(|| folder.to_owned())
}

/// Checks that the folder is that of `kcl`; the error says why it is not.
fn is_kcl(folder: &Path) -> Result<(), String> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    // The published crate of the same name does not depend on `kcl-macros`.
    let is_named = text.lines().any(|line| line.trim() == "name = \"kcl\"");
    if is_named && text.contains("kcl-macros") {
        Ok(())
    } else {
        Err(format!("{} belongs to another package", manifest.display()))
    }
}

/// The command that runs the tool in the new project: `cargo kcl` if a tool is installed, and otherwise the path of this executable.
/// Inside a clone it is always the path. There, the alias hides an installed tool and works only for the clone's own packages.
fn tool(folder: &Path) -> String {
    let is_installed = find(OsStr::new("cargo-kcl")).is_some();
    let is_clone =
        |folder: &Path| ["cargo-kcl/Cargo.toml", ".cargo/config.toml"].iter().all(|file| folder.join(file).is_file());
    let is_in_clone = folder.canonicalize().is_ok_and(|folder| folder.ancestors().any(is_clone));
    match executable() {
        Some(tool) if !is_installed || is_in_clone => report::quoted(&tool),
        _ => "cargo kcl".to_owned(),
    }
}

/// The path of this executable, or of the build that has replaced it.
fn executable() -> Option<String> {
    let path = std::env::current_exe().ok()?.into_os_string().into_string().ok()?;
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    Path::new(path).is_file().then(|| path.to_owned())
}

fn manifest(name: &str, kcl: &Kcl) -> Result<String, NewError> {
    let source = match kcl {
        Kcl::Folder(path) => {
            format!("path = {}", quoted(path.to_str().ok_or_else(|| NewError::NotUtf8(path.clone()))?))
        }
        Kcl::Git(url) => format!("git = {}", quoted(url)),
    };
    Ok(format!(
        "[package]\n\
         name = \"{name}\"\n\
         version = \"0.1.0\"\n\
         edition = \"2024\"\n\
         publish = false\n\
         \n\
         [dependencies]\n\
         # Metrics are collected only if the launcher or KCL_METRICS asks for them.\n\
         kcl = {{ {source}, features = [\"metrics\"] }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\
         \n\
         [dev-dependencies]\n\
         kcl = {{ {source}, features = [\"testing\"] }}\n\
         serde_json = \"1\"\n"
    ))
}

/// Quotes the text as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_suggested_only_while_it_is_there() {
        let place = tempfile::tempdir().expect("a folder");
        let clone = place.path();
        assert_eq!(clone_at(clone), None);
        fs::create_dir(clone.join("kcl")).expect("it can be made");
        fs::write(clone.join("kcl/Cargo.toml"), "name = \"kcl\"\nkcl-macros").expect("it can be written");
        assert_eq!(clone_at(clone).as_deref(), Some(clone));
        let refused = NewError::NoSource { clone: clone_at(clone) }.to_string();
        let suggested = format!("comes from: add --path {}, the clone that", clone.display());
        assert!(refused.contains(&suggested), "{refused}");
        assert!(refused.contains(" from. Or give the folder of `kcl` with --path DIR, or its"), "{refused}");
        fs::write(clone.join(".cargo-ok"), "").expect("it can be written");
        assert_eq!(clone_at(clone), None);
        let refused = NewError::NoSource { clone: None }.to_string();
        assert!(refused.contains("comes from: give the folder of `kcl` with --path DIR, or its"), "{refused}");
    }

    #[test]
    fn any_text_can_be_quoted() {
        assert_eq!(quoted("a b/\"c\\d\n"), r#""a b/\"c\\d\u000A""#);
    }
}
