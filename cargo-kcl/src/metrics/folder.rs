//! The sockets of runs: where they are, and which of them are in use.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, iter, process, thread};

use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::geteuid;

/// The permissions of everyone but the owner.
const OTHERS: u32 = 0o077;
/// The end of the name of a socket that answers requests.
const REQUESTS: &str = "http";
/// The end of the name of a socket that receives the snapshots of processors.
const SNAPSHOTS: &str = "metrics";
/// The most runs whose processes have the same id.
const MOST_RUNS: u32 = 100;
/// The wait before another attempt to connect to a run whose queue is full.
const PAUSE: Duration = Duration::from_millis(10);

/// The folder of all runs of this user.
pub(crate) fn path() -> PathBuf {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    match runtime.filter(|folder| folder.is_dir()) {
        Some(folder) => folder.join("kcl"),
        None => env::temp_dir().join(format!("kcl-{}", geteuid().as_raw())),
    }
}

/// The sockets of one run, which are removed after it.
#[derive(Debug)]
pub(crate) struct Sockets {
    requests: PathBuf,
    snapshots: PathBuf,
}

impl Sockets {
    /// Creates the sockets of this process.
    pub(crate) fn create(folder: &Path) -> io::Result<(Self, UnixListener, UnixDatagram)> {
        if folder.to_str().is_none_or(|path| path.contains(',')) {
            return Err(io::Error::other("KCL_METRICS cannot name a path with a comma, or one that is not UTF-8"));
        }
        create_private(folder)?;
        let id = process::id();
        // Containers that share the folder may have processes with the same id.
        let mut names = iter::once(id.to_string()).chain((2..=MOST_RUNS).map(|number| format!("{id}-{number}")));
        let free = names.find(|name| UnixStream::connect(folder.join(format!("{name}.{REQUESTS}"))).is_err());
        let name = free.ok_or_else(|| io::Error::other("too many runs have the same process id"))?;
        let own = |end| folder.join(format!("{name}.{end}"));
        let sockets = Self { requests: own(REQUESTS), snapshots: own(SNAPSHOTS) };
        // Sockets of a killed process that had the same id may be left.
        sockets.remove();
        let listener = UnixListener::bind(&sockets.requests)?;
        let datagrams = UnixDatagram::bind(&sockets.snapshots)?;
        listener.set_nonblocking(true)?;
        datagrams.set_nonblocking(true)?;
        Ok((sockets, listener, datagrams))
    }

    pub(crate) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    fn remove(&self) {
        _ = fs::remove_file(&self.requests);
        _ = fs::remove_file(&self.snapshots);
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Creates a folder that only this user can use, or checks that it is one.
fn create_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(folder)? { Ok(()) } else { Err(io::Error::other("other users can use the folder, or it is a link")) }
}

/// Whether this is a folder of this user, not a link to one, that nobody else can use.
fn is_private(folder: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(folder)?;
    Ok(metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & OTHERS == 0)
}

/// The sockets for requests of the runs of this user, in order. Some runs may have ended.
pub(crate) fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match is_private(folder) {
        Ok(true) => {}
        Ok(false) => return Err(io::Error::other("other users can use the folder, or it is a link")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut found: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == REQUESTS));
    found.sort();
    Ok(found)
}

/// Connects to a run by the deadline; `None` if it has ended. The sockets of a run that was killed are removed.
pub(crate) fn connect(requests: &Path, deadline: Instant) -> Option<io::Result<UnixStream>> {
    match connect_in_time(requests, deadline) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let (requests, snapshots) = (requests.to_owned(), requests.with_extension(SNAPSHOTS));
            drop(Sockets { requests, snapshots });
            None
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        connected => Some(connected),
    }
}

/// Connects without waiting forever for a run that is stopped while many others ask it.
fn connect_in_time(requests: &Path, deadline: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(requests)?;
    let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    loop {
        match net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            // The queue of the listener is full.
            Err(Errno::AGAIN) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
    ioctl_fionbio(&socket, false)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// The sockets of the runs that can be reached.
    fn running(folder: &Path) -> io::Result<Vec<PathBuf>> {
        let runs = |socket: &PathBuf| connect(socket, Instant::now()).is_some_and(|stream| stream.is_ok());
        Ok(sockets(folder)?.into_iter().filter(runs).collect())
    }

    #[test]
    fn only_this_user_can_use_the_sockets() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("kcl");
        let (sockets, _listener, _datagrams) = Sockets::create(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(running(&folder).unwrap().len(), 1);
        drop(sockets);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);

        let link = above.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(Sockets::create(&link).is_err() && running(&link).is_err());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Sockets::create(&folder).is_err() && running(&folder).is_err());
        assert_eq!(running(&above.path().join("absent")).unwrap().len(), 0);
    }

    #[test]
    fn runs_with_the_same_process_id_do_not_disturb_each_other() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("kcl");
        let (first, listener, _datagrams) = Sockets::create(&folder).unwrap();
        let (second, _other_listener, _other_datagrams) = Sockets::create(&folder).unwrap();
        assert_eq!(running(&folder).unwrap().len(), 2);
        drop((first, listener));
        assert_eq!(running(&folder).unwrap(), std::slice::from_ref(&second.requests));
    }

    #[test]
    fn a_path_that_cannot_be_given_to_processors_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let error = Sockets::create(&above.path().join("a,b")).unwrap_err();
        assert!(error.to_string().contains("a comma"), "{error}");
    }

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("kcl");
        create_private(&folder).unwrap();
        let path = |name: &str| folder.join(name);
        drop(UnixListener::bind(path("1.http")).unwrap());
        drop(UnixDatagram::bind(path("1.metrics")).unwrap());
        assert_eq!(running(&folder).unwrap().len(), 0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_queue_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.http");
        let listener = UnixListener::bind(&path).unwrap();
        net::listen(&listener, 1).unwrap();
        let asked: Vec<_> = (0..4).filter_map(|_| connect(&path, Instant::now())).collect();
        assert!(asked[0].is_ok());
        assert_eq!(asked[3].as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
        listener.accept().unwrap();
        connect(&path, Instant::now()).unwrap().unwrap();
    }
}
