//! A folder for one test, with a lock file, a cache, and a Java that does not start a daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// The longest wait, which only a failing test reaches.
const PATIENCE: Duration = Duration::from_secs(120);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));

/// The Java of this machine.
pub(crate) fn java() -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    home.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("java"))).find(|java| java.is_file())
}

/// The files of a daemon that does not exist.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let file = |path: &str, bytes: usize| (path.to_owned(), path.bytes().cycle().take(bytes).collect());
    vec![
        file("software/amazon/kinesis/amazon-kinesis-client/9.9.0/amazon-kinesis-client-9.9.0.jar", 300_000),
        file(
            "software/amazon/kinesis/amazon-kinesis-client-multilang/9.8.0/amazon-kinesis-client-multilang-9.8.0.jar",
            100,
        ),
        file("org/example/small/1.0/small-1.0-linux.so", 10),
    ]
}

/// The lines of a lock file.
pub(crate) fn lock(files: &[(String, Vec<u8>)]) -> String {
    let line = |(path, content): &(String, Vec<u8>)| {
        let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hash}  {path}\n")
    };
    files.iter().map(line).collect()
}

pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let place = Self { folder };
        let java = java().expect("there is a Java");
        place.write_program(
            "java/bin/java",
            &format!(
                "case \"$*\" in\n\
                 -version) echo 'openjdk version \"17.0.15\"' >&2; exit;;\n\
                 *' Fetch '*) echo \"$*\" >> {}; exec {} \"$@\";;\n\
                 esac\n\
                 echo started; exit 1\n",
                place.path("commands").display(),
                java.display()
            ),
        );
        fs::write(place.path("daemon.lock"), lock(&files())).expect("it is written");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write_program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, format!("#!/bin/sh\n{script}")).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is executable");
    }

    /// `cargo kcl daemon` with the lock file, without Maven.
    pub(crate) fn daemon(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*TOOL);
        command.args(["daemon", "--stream", "orders", "--app", "orders", "--region", "us-east-1"]);
        command.arg("--daemon-lock").arg(self.path("daemon.lock")).args(arguments).args(["--", "/bin/sh"]);
        let variables = ["http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "JDK_JAVA_OPTIONS"];
        for name in variables.into_iter().chain(["JAVA_TOOL_OPTIONS", "KCL_MAVEN_REPOSITORY", "KCL_DAEMON_LOCK"]) {
            command.env_remove(name);
        }
        command.env("JAVA_HOME", self.path("java")).env("KCL_CACHE_DIR", self.path("cache")).env("PATH", "/nowhere");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the daemon, which is a script, from this repository.
    pub(crate) fn run(&self, url: &str) -> Ended {
        Ended::of(self.daemon(&["--maven-repository", url]).output().expect("the tool starts"))
    }

    /// The command lines of the JVMs that fetched files.
    pub(crate) fn commands(&self) -> String {
        fs::read_to_string(self.path("commands")).unwrap_or_default()
    }

    /// The installed files by name, of the finished folder or of the unfinished one.
    pub(crate) fn installed(&self, finished: bool) -> Vec<(String, Vec<u8>)> {
        let folders =
            fs::read_dir(self.path("cache")).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        let mut folders = folders.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("daemon-") && name.ends_with(".partial") != finished
        });
        let files = folders.next().map(|folder| fs::read_dir(folder).expect("a folder")).into_iter().flatten();
        let mut files: Vec<_> = files
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (name, fs::read(&path).expect("it is readable"))
            })
            .collect();
        files.sort();
        files
    }

    /// Asserts that exactly the locked files are installed.
    pub(crate) fn is_complete(&self) {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut expected: Vec<_> = files().into_iter().map(|(path, content)| (name(&path), content)).collect();
        expected.sort();
        assert!(self.installed(true) == expected, "{:?}", fs::read_dir(self.path("cache")));
        assert!(self.installed(false).is_empty());
    }
}

/// The exit code and stderr of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Asserts that the daemon was started.
    pub(crate) fn started(&self) {
        assert!(self.stderr.contains("java: started\n"), "{self:?}");
    }

    /// Asserts that nothing was started, with this code, and that stderr contains this text.
    pub(crate) fn refused(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains(text), "`{text}` is missing in {}", self.stderr);
        assert!(!self.stderr.contains("started"), "{}", self.stderr);
    }
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
