//! Starting and ending processors: none outlives the tool.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::exec::{self, Death};

/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// A processor that was started, and the ends of its pipes.
pub(crate) struct Spawned {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    pub(crate) process: Process,
}

/// Starts a command through the tool itself, in a process group of its own, so that Ctrl-C in a terminal reaches only the tool.
///
/// The processor dies with the *thread* that calls this, so the tool's main thread does.
pub(crate) fn spawn(command: &[OsString]) -> io::Result<Spawned> {
    let mut child =
        bound(command, Death::Kill)?.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the pipes to the process are missing"));
    };
    Ok(Spawned { stdin, stdout, stderr, process: Process::new(child) })
}

/// What starts a command that dies as told with the thread that starts it; in a process group of its own, with nothing to read.
pub(crate) fn bound(command: &[OsString], death: Death) -> io::Result<Command> {
    let mut bound = Command::new(own_path()?);
    let death = match death {
        Death::Kill => "kill",
        Death::Terminate => "terminate",
    };
    bound.args([exec::VERB, &std::process::id().to_string(), death, "--"]).args(command);
    bound.stdin(Stdio::null()).process_group(0);
    Ok(bound)
}

fn own_path() -> io::Result<PathBuf> {
    // Holds even if the file was replaced by a newer build meanwhile.
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// A handle of a started process; its clones mean the same one.
#[derive(Clone, Debug)]
pub(crate) struct Process(Arc<Mutex<Child>>);

impl Process {
    /// A process that was started in a group of its own.
    pub(crate) fn new(child: Child) -> Self {
        Self(Arc::new(Mutex::new(child)))
    }

    /// Its exit status, once it has ended.
    pub(crate) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    /// Waits for its end, but not longer than this.
    pub(crate) fn wait_for(&self, most: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + most;
        loop {
            let status = self.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Kills it with its process group, if it has not ended.
    pub(crate) fn kill(&self) {
        let mut child = self.child();
        // While it is not reaped its id belongs to nobody else, and nobody reaps it without the lock.
        if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id()))
            && let Some(group) = Pid::from_raw(id)
        {
            _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
