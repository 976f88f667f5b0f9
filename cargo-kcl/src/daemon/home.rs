//! The files of one run: the properties, the log's format, and a path to the processor that the daemon can use.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
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

    /// The command in a form that fits `executableName`, which the daemon splits on spaces, without quoting.
    pub(crate) fn executable_name(&self, command: &[OsString]) -> io::Result<String> {
        let [program, arguments @ ..] = command else { return Err(io::Error::other("there is no command to run")) };
        let plain: Option<Vec<&str>> = command.iter().map(|part| part.to_str().filter(|_| is_plain(part))).collect();
        if let Some(parts) = plain {
            return Ok(parts.join(" "));
        }
        let name = Path::new(program).file_name().filter(|name| is_plain(name)).unwrap_or(OsStr::new("processor"));
        let path = self.folder.path().join(name);
        if arguments.is_empty() {
            symlink(program, &path)?;
        } else {
            fs::write(&path, script(command))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        path.into_os_string()
            .into_string()
            .map_err(|_| io::Error::other("the temporary folder's path is not valid UTF-8"))
    }
}

/// Whether neither splitting on spaces nor an encoding can change the text.
fn is_plain(text: &OsStr) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(|byte| byte.is_ascii_graphic())
}

/// A shell script that executes the command.
fn script(command: &[OsString]) -> Vec<u8> {
    let mut script = b"#!/bin/sh\nexec".to_vec();
    for part in command {
        script.extend_from_slice(b" '");
        for byte in part.as_bytes() {
            match byte {
                b'\'' => script.extend_from_slice(b"'\\''"),
                byte => script.push(*byte),
            }
        }
        script.push(b'\'');
    }
    script.push(b'\n');
    script
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
    fn arguments_of_any_content_reach_the_program() {
        let odd = ["/usr/bin/printf", "[%s]", "two words", "", "it's", "$HOME `x` \\", "\u{e9}\n"];
        assert_eq!(run(&odd).1, "[two words][][it's][$HOME `x` \\][\u{e9}\n]");
    }

    #[test]
    fn a_program_in_a_path_with_spaces_is_linked_to() {
        let folder = tempfile::Builder::new().prefix("with space ").tempdir().expect("a folder can be made");
        let program = folder.path().join("pro cessor");
        fs::copy("/bin/echo", &program).expect("it can be copied");
        let (name, output) = run(&[program.to_str().expect("it is text")]);
        assert!(!name.contains(' '), "{name}");
        assert_eq!(output, "\n");
    }
}
