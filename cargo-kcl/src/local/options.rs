//! What the options of `cargo kcl local` mean.

use std::path::PathBuf;
use std::str::FromStr;
use std::{fs, io};

use super::LocalError;
use super::input::Source;
use super::store::{Run, Store, StoreError};
use crate::cli::LocalOptions;
use crate::processor::{Program, workspace_root};

/// Where the records start. A file has one place only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAt {
    TrimHorizon,
}

impl FromStr for StartAt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trim-horizon" => Ok(Self::TrimHorizon),
            "latest" => Err("what is in a file or on standard input was there before; only `trim-horizon` reads it"),
            _ => Err("the lines of a file carry no time to start from; only `trim-horizon` reads them"),
        }
    }
}

/// The name under which checkpoints are kept: what a lease table of the KCL may be called, and so a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppName(String);

impl FromStr for AppName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
        if text.is_empty() || text.len() > 200 || text.starts_with('.') || !text.chars().all(known) {
            return Err("a name has up to 200 letters, digits, `_`, `-` and `.`, and does not start with `.`");
        }
        Ok(Self(text.to_owned()))
    }
}

impl LocalOptions {
    /// Where checkpoints are kept, if they are to outlive the run.
    pub(super) fn store(&self, program: &Program) -> Result<Option<Store>, LocalError> {
        let app = match (&self.app, &self.state) {
            (Some(app), _) => app.clone(),
            (None, None) => return Ok(None),
            (None, Some(_)) => program.name.parse().map_err(|_| {
                LocalError::Options(
                    "--state keeps checkpoints under the processor's name, which cannot be used here; name --app",
                )
            })?,
        };
        let folder = match &self.state {
            Some(folder) => folder.clone(),
            None => default_folder()?,
        };
        Ok(Some(Store::open(&folder, &app.0, &self.identity(), self.fresh)?))
    }

    /// What must be the same for kept checkpoints to mean the same records.
    fn identity(&self) -> Run {
        let inputs: Vec<_> = self.input.iter().map(Source::identity).collect();
        let key = self.key.as_ref().map_or("the record's number".to_owned(), |key| format!("`{key}`"));
        vec![("--input", inputs.join(", ")), ("--shards", self.shards.to_string()), ("--key", key)]
    }
}

/// `.kcl`, which keeps itself out of version control.
fn default_folder() -> Result<PathBuf, StoreError> {
    let folder = workspace_root().unwrap_or_default().join(".kcl");
    let ignore = folder.join(".gitignore");
    let made = fs::create_dir_all(&folder).and_then(|()| match fs::File::create_new(ignore) {
        Ok(mut file) => io::Write::write_all(&mut file, b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    });
    made.map_err(|error| StoreError::Folder { path: folder.clone(), error })?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_a_file_in_its_folder() {
        for name in ["a", "orders-2026_v1.x"] {
            assert!(name.parse::<AppName>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a b", "é", &"x".repeat(201)] {
            assert!(name.parse::<AppName>().is_err(), "{name}");
        }
    }
}
