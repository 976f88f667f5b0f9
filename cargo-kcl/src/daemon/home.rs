//! The files of one run: the properties, the log's format, and a path to the processor that the daemon can use.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use tempfile::TempDir;

const LOGBACK: &str = include_str!("../../java/daemon/logback.xml");

/// A folder for one run, which is removed after it. Its path is ASCII and has no spaces.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> io::Result<Self> {
        let candidates = [env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        let parent = candidates.iter().find(|path| is_plain(path.as_os_str()) && path.is_dir()).ok_or_else(|| {
            io::Error::other("no temporary folder has a path without spaces, which the daemon needs; set TMPDIR to one")
        })?;
        let folder = tempfile::Builder::new().prefix("kcl-").tempdir_in(parent)?;
        fs::write(folder.path().join("logback.xml"), LOGBACK)?;
        Ok(Self { folder })
    }

    pub(crate) fn logback(&self) -> PathBuf {
        self.folder.path().join("logback.xml")
    }

    pub(crate) fn properties(&self) -> PathBuf {
        self.folder.path().join("daemon.properties")
    }

    /// The command in a form that fits `executableName`, which the daemon splits on spaces, without quoting. The arguments must be
    /// [plain](is_plain).
    pub(crate) fn executable_name(&self, command: &[OsString]) -> io::Result<String> {
        let [program, arguments @ ..] = command else { return Err(io::Error::other("there is no command to run")) };
        let mut parts = vec![self.plain_path(program)?];
        parts.extend(arguments.iter().map(|argument| argument.to_string_lossy().into_owned()));
        Ok(parts.join(" "))
    }

    /// A path to the program that the daemon can use: its own, or that of a link to it.
    fn plain_path(&self, program: &OsStr) -> io::Result<String> {
        if is_plain(program) {
            return Ok(program.to_string_lossy().into_owned());
        }
        let name = Path::new(program).file_name().filter(|name| is_plain(name)).unwrap_or(OsStr::new("processor"));
        let path = self.folder.path().join(name);
        symlink(program, &path)?;
        Ok(path.to_string_lossy().into_owned())
    }
}

/// Whether an argument reaches the processor unchanged. Quotes would, too, but whoever writes them expects them to group words.
pub(crate) fn is_passed_on(argument: &OsStr) -> bool {
    is_plain(argument) && !argument.as_bytes().iter().any(|byte| matches!(byte, b'\'' | b'"'))
}

/// Whether neither splitting on spaces nor an encoding can change the text.
fn is_plain(text: &OsStr) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(command: &[&str]) -> (String, String) {
        let home = Home::new().expect("a folder can be made");
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        let name = home.executable_name(&command).expect("it can be named");
        // Split in the same way as the daemon.
        let parts: Vec<_> = name.split(' ').filter(|part| !part.is_empty()).collect();
        let output = Command::new(parts[0]).args(&parts[1..]).output().expect("it starts");
        (name, String::from_utf8(output.stdout).expect("it is text"))
    }

    #[test]
    fn a_plain_command_stays_as_it_is() {
        assert_eq!(run(&["/bin/echo", "a", "b"]), ("/bin/echo a b".to_owned(), "a b\n".to_owned()));
    }

    #[test]
    fn an_argument_that_the_daemon_would_change_is_recognized() {
        for argument in ["a", "--key=/a:b,c", "$HOME", "a\\b"] {
            assert!(is_passed_on(OsStr::new(argument)), "{argument}");
        }
        for argument in ["", "two words", "tab\t", "it's", "\"a\"", "\u{e9}", "\n"] {
            assert!(!is_passed_on(OsStr::new(argument)), "{argument}");
        }
    }

    #[test]
    fn a_program_in_a_path_with_spaces_is_linked_to() {
        let folder = tempfile::Builder::new().prefix("with space ").tempdir().expect("a folder can be made");
        let program = folder.path().join("pro cessor");
        fs::copy("/bin/echo", &program).expect("it can be copied");
        let (name, output) = run(&[program.to_str().expect("it is text"), "a", "b"]);
        assert_eq!(name.split(' ').count(), 3, "{name}");
        assert_eq!(output, "a b\n");
    }
}
