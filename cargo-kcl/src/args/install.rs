//! Which jars are installed, and where they come from.

use std::path::PathBuf;

use clap::Args;

/// Where jars come from.
#[derive(Debug, Args)]
pub(crate) struct InstallOptions {
    /// Fetch jars from the Maven repository at this URL, without Maven. By default Maven fetches them, with its own settings; if it is
    /// not installed, Java does, from Maven Central
    #[arg(long, value_name = "URL", env = "KCL_MAVEN_REPOSITORY", hide_env_values = true, value_parser = repository)]
    pub(crate) maven_repository: Option<String>,
}

/// Which jars the daemon has.
#[derive(Debug, Args)]
pub(crate) struct LockOptions {
    /// Lock file of the daemon's jars, instead of the tested ones: a SHA-256 and the path of a file in a Maven repository per line.
    /// docs/daemon.md has the command that writes one
    #[arg(long, value_name = "FILE", env = "KCL_DAEMON_LOCK")]
    pub(crate) daemon_lock: Option<PathBuf>,
}

/// Checks the URL of a repository, which may have a name and a password, and removes slashes at its end.
fn repository(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let rest = ["https://", "http://", "file:///"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let is_right = rest.is_some_and(|rest| !rest.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic()));
    if is_right {
        Ok(url.to_owned())
    } else {
        Err("write https://HOST/PATH, http://HOST/PATH or file:///PATH".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_a_url() {
        assert_eq!(repository("https://me:secret@host:81/maven//").as_deref(), Ok("https://me:secret@host:81/maven"));
        for text in ["host/maven", "https://", "ftp://host/", "https://host/a b", "https://host/\u{e9}", ""] {
            assert!(repository(text).is_err(), "{text}");
        }
    }
}
