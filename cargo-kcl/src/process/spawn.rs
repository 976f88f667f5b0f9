//! Starting and ending processors. No processor outlives the tool.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::exec::{self, Death};

/// The number that shells add to a signal to get the exit code of a command that the signal ended.
const SIGNALLED: i32 = 128;
/// The variable that makes a processor describe itself and end.
pub(super) const DESCRIBE: &str = "KCL_DESCRIBE";
/// The interval at which a process is checked for its end.
const POLL: Duration = Duration::from_millis(5);

/// A started processor, and the tool's ends of its pipes.
pub(crate) struct Spawned {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    pub(crate) process: Process,
}

/// Starts a command through the tool itself, in its own process group, so that Ctrl-C in a terminal reaches only the tool.
///
/// The processor dies with the *thread* that calls this function, so call it on the tool's main thread.
pub(crate) fn spawn(command: &[OsString]) -> io::Result<Spawned> {
    spawn_with(command, [])
}

/// Starts a command as [`spawn`] does, with these environment variables in addition.
pub(crate) fn spawn_with(
    command: &[OsString],
    variables: impl IntoIterator<Item = (&'static str, OsString)>,
) -> io::Result<Spawned> {
    let mut bound = bound(command, Death::Kill)?;
    bound.envs(variables);
    let mut child = bound.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the pipes to the process are missing"));
    };
    Ok(Spawned { stdin, stdout, stderr, process: Process::new(child) })
}

/// Prepares a command that dies, in the given way, with the thread that starts it. It has its own process group, and an empty
/// stdin. It is not asked for its description, whatever the environment of the tool asks for.
pub(crate) fn bound(command: &[OsString], death: Death) -> io::Result<Command> {
    let mut bound = Command::new(own_path()?);
    let death = match death {
        Death::Kill => "kill",
        Death::Terminate => "terminate",
    };
    bound.args([exec::VERB, &std::process::id().to_string(), death, "--"]).args(command);
    bound.stdin(Stdio::null()).process_group(0).env_remove(DESCRIBE);
    Ok(bound)
}

fn own_path() -> io::Result<PathBuf> {
    // Valid even if a newer build has replaced the file in the meantime.
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// The exit code of a command that ended, as shells know it: 128 more than the number of the signal that ended it.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal)).unwrap_or(1)
}

/// A handle to a started process. Clones refer to the same process.
#[derive(Clone, Debug)]
pub(crate) struct Process(Arc<Mutex<Child>>);

impl Process {
    /// Wraps a process that was started in its own process group.
    pub(crate) fn new(child: Child) -> Self {
        Self(Arc::new(Mutex::new(child)))
    }

    /// The exit status, once the process has ended.
    pub(crate) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    /// Waits for the end of the process, for at most this long.
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

    /// Kills the process and its process group, if it has not ended.
    pub(crate) fn kill(&self) {
        let mut child = self.child();
        // Until the process is reaped no other process can have its id, and reaping it needs the lock.
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
