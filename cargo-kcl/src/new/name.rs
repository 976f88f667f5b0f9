//! Project names: those that cargo accepts for a package, and rustc for the crate of its binary.

use std::path::{Path, PathBuf};

/// The reason why a project cannot have this name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("{} does not name a new folder; give a name, as in: cargo kcl new orders", .0.display())]
    None(PathBuf),
    #[error(
        "`{0}` is not a valid package name: it must start with a letter, and contain only ASCII letters, digits, `-` and `_`"
    )]
    Characters(String),
    #[error("`{0}` is longer than 64 characters, the limit for a package name")]
    Long(String),
    #[error("`{name}` cannot be a package name: {why}; try `{name}-processor`")]
    Taken { name: String, why: &'static str },
}

const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false final fn for \
    gen if impl in let loop macro match mod move mut override priv pub ref return self Self static struct super trait true try type \
    typeof unsafe unsized use virtual where while yield ";
const OF_RUST: &str = " alloc core proc_macro proc-macro std test ";
const OF_CARGO: &str = " build deps examples incremental ";
const DEPENDENCIES: &str = " kcl kcl-macros kcl_macros serde serde_json ";

/// The name of a project in this folder.
pub(crate) fn of(folder: &Path) -> Result<&str, NameError> {
    let last = folder.file_name().ok_or_else(|| NameError::None(folder.to_owned()))?;
    let name = last.to_str().ok_or_else(|| NameError::Characters(last.to_string_lossy().into_owned()))?;
    let known = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    if !name.starts_with(|char: char| char.is_ascii_alphabetic()) || !name.chars().all(known) {
        return Err(NameError::Characters(name.to_owned()));
    }
    if name.len() > 64 {
        return Err(NameError::Long(name.to_owned()));
    }
    let is_one_of = |names: &str| names.contains(&format!(" {name} "));
    let why = match () {
        () if is_one_of(KEYWORDS) => "it is a Rust keyword",
        () if is_one_of(OF_RUST) => "it is the name of one of Rust's own crates",
        () if is_one_of(OF_CARGO) => "cargo uses a folder of that name in its build directory",
        () if is_one_of(DEPENDENCIES) => "the project depends on a package with that name",
        () => return Ok(name),
    };
    Err(NameError::Taken { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_cargo_takes() {
        for name in ["orders", "o", "orders-2", "my_Orders", "a/b c/orders", "../orders", "orders/"] {
            assert!(of(Path::new(name)).is_ok(), "{name}");
        }
        for name in ["", "Self", ".", "..", "/", "2fast", "-x", "_x", "a b", "é", "a.b", "x/a+b", &"x".repeat(65)] {
            assert!(of(Path::new(name)).is_err(), "{name}");
        }
        for name in ["fn", "async", "test", "std", "build", "kcl", "serde"] {
            let error = of(Path::new(name)).unwrap_err();
            assert!(error.to_string().ends_with(&format!("try `{name}-processor`")), "{error}");
        }
    }
}
