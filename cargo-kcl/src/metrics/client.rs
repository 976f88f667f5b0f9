//! Requests to a run, for `health` and `top`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::options::{Address, RunOptions};
use super::{folder, state::State};
use crate::{report, threads};

/// The longest response that is read.
const LONGEST: u64 = 256 << 20;
/// The bytes that are read at once.
const PART: usize = 64 << 10;
/// The time that other runs have to answer after the one that is meant has answered. Another may have the same name.
const GRACE: Duration = Duration::from_millis(200);

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{} cannot be read: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("no run answers at {address}: {error}", address = .address.0)]
    Address { address: Address, error: io::Error },
    #[error("no `cargo kcl local` or `cargo kcl daemon` of this user was found{}; a run of the clone's tool is found only with --metrics", .0.as_ref().map_or(String::new(), |app| format!(" that runs as `{}`", report::excerpt(app))))]
    Nothing(Option<String>),
    #[error("the `cargo kcl` with process id {} does not answer in time; it is stopped, or the machine is overloaded", report::excerpt(.0))]
    Silent(String),
    #[error("the run at {} cannot be asked: {error}", report::excerpt(socket.display().to_string()))]
    Socket { socket: PathBuf, error: io::Error },
    #[error("the run ended before it answered")]
    Ended,
    #[error("several runs are active; name one of them with --app: {0}")]
    Several(String),
    #[error("several runs are active: {0}; give the --metrics address of one of them with --address")]
    SeveralOf(String),
    #[error("the run does not answer: {0}")]
    Answer(io::Error),
}

/// The run that is asked.
#[derive(Clone, Debug)]
pub(crate) enum Run {
    /// The run of this application, or the only one.
    Of(Option<String>),
    /// The run with `--metrics` at this address.
    At(Address),
}

/// An answer: the status code and the body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

impl Run {
    /// The run at the address if one is given, or else that of the application.
    pub(crate) fn new(options: &RunOptions) -> Self {
        options.address.map_or_else(|| Self::Of(options.app.clone()), Self::At)
    }

    /// Asks the run for a path, within a time.
    pub(crate) fn ask(&self, path: &str, patience: Duration) -> Result<Answer, ClientError> {
        let deadline = Instant::now() + patience;
        match self {
            Self::At(address) => {
                let connect = || exchange(TcpStream::connect_timeout(&address.0, patience)?, path, deadline);
                connect().map_err(|error| ClientError::Address { address: *address, error })
            }
            Self::Of(application) => {
                let socket = find(application.as_deref(), deadline)?;
                let answers = ask_all(vec![socket], path, deadline, |_| true);
                match answers.into_iter().next() {
                    Some((_, Ok(answer))) => Ok(answer),
                    Some((_, Err(error))) if !has_ended(&error) => Err(ClientError::Answer(error)),
                    _ => Err(ClientError::Ended),
                }
            }
        }
    }
}

/// The states of all runs of this user on this machine that answer. There may be none.
#[cfg(feature = "aws")]
pub(crate) fn states(patience: Duration) -> Vec<State> {
    let sockets = folder::sockets(&folder::path()).unwrap_or_default();
    let answers = ask_all(sockets, "/state", Instant::now() + patience, |_| false);
    answers.into_iter().filter_map(|(_, answer)| serde_json::from_str(&answer.ok()?.body).ok()).collect()
}

/// The socket of the run of an application, or of the only run.
fn find(application: Option<&str>, deadline: Instant) -> Result<PathBuf, ClientError> {
    let path = folder::path();
    let sockets = folder::sockets(&path).map_err(|error| ClientError::Folder { path, error })?;
    let is_meant = |answer: &Answer| named(answer, application).is_some();
    let (mut found, mut failed) = (Vec::new(), None);
    for (socket, answer) in ask_all(sockets, "/about", deadline, is_meant) {
        match answer {
            Ok(answer) => found.extend(named(&answer, application).map(|(name, id)| (name, id, socket))),
            Err(error) if has_ended(&error) => {}
            Err(error) => failed = Some((socket, error)),
        }
    }
    match (&mut found[..], failed) {
        ([(_, _, socket)], _) => Ok(std::mem::take(socket)),
        ([], Some((socket, error))) => Err(unanswered(socket, error)),
        ([], None) => Err(ClientError::Nothing(application.map(str::to_owned))),
        (several, _) => Err(ambiguous(several.iter().map(|(name, id, _)| (name.as_str(), *id)))),
    }
}

/// The name of the run that answered, and its process, if it is the one of the application or if none is given.
fn named(answer: &Answer, application: Option<&str>) -> Option<(String, u32)> {
    let State { application: name, pid, .. } = serde_json::from_str(&answer.body).ok()?;
    application.is_none_or(|application| application == name).then_some((name, pid))
}

/// The error that names these runs. Each name is there once, with all of its processes.
fn ambiguous<'n>(runs: impl Iterator<Item = (&'n str, u32)>) -> ClientError {
    let mut ids = BTreeMap::<_, Vec<_>>::new();
    runs.for_each(|(name, id)| ids.entry(name).or_default().push(id));
    let described = ids.iter().map(|(name, ids)| {
        let what = report::noun(ids.len() as u64, "id");
        let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
        format!("{} (process {what} {})", report::excerpt(name), ids.join(", "))
    });
    let runs = described.collect::<Vec<_>>().join(", ");
    if ids.len() == 1 { ClientError::SeveralOf(runs) } else { ClientError::Several(runs) }
}

/// The reason why the run of a socket was not found to be the one that is meant.
fn unanswered(socket: PathBuf, error: io::Error) -> ClientError {
    if error.kind() != io::ErrorKind::TimedOut {
        return ClientError::Socket { socket, error };
    }
    // Runs whose processes have the same id have a number after it.
    let name = socket.file_stem().unwrap_or_default().to_string_lossy();
    ClientError::Silent(name.split('-').next().unwrap_or_default().to_owned())
}

/// Asks the runs at these sockets side by side. Those that have ended are left out. After an answer that is enough, the others have
/// little time left.
fn ask_all(
    sockets: Vec<PathBuf>,
    path: &str,
    mut deadline: Instant,
    is_enough: impl Fn(&Answer) -> bool,
) -> Vec<(PathBuf, io::Result<Answer>)> {
    let (sender, answers) = channel();
    let (mut left, mut found) = (sockets.clone(), Vec::new());
    for socket in sockets {
        let (sender, asked, path) = (sender.clone(), socket.clone(), path.to_owned());
        let started = threads::spawn(move || {
            let answer = folder::connect(&asked, deadline).map(|stream| exchange(stream?, &path, deadline));
            _ = sender.send((asked, answer));
        });
        if let Err(error) = started {
            left.retain(|other| *other != socket);
            found.push((socket, Err(error)));
        }
    }
    drop(sender);
    while let Ok((socket, answer)) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        left.retain(|other| *other != socket);
        if let Some(Ok(answer)) = &answer
            && is_enough(answer)
        {
            let now = Instant::now();
            // The one that was found is asked again.
            deadline = now + GRACE.min(deadline.saturating_duration_since(now) / 2);
        }
        found.extend(answer.map(|answer| (socket, answer)));
    }
    found.extend(left.into_iter().map(|socket| (socket, Err(late()))));
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// Whether a run closed the connection without an answer.
fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
    )
}

/// A connection whose reads and writes can be limited.
trait Timed: Read + Write {
    fn limit(&self, time: Duration) -> io::Result<()>;
}

impl Timed for TcpStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

impl Timed for UnixStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

/// Sends a request and reads the response to its end, by the deadline.
fn exchange(mut stream: impl Timed, path: &str, deadline: Instant) -> io::Result<Answer> {
    let limit = |stream: &_| {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Timed::limit(stream, left) }
    };
    limit(&stream)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut response = Vec::new();
    let mut part = vec![0; PART];
    while (response.len() as u64) < LONGEST {
        limit(&stream)?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => response.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The time of a read has passed.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(late()),
            Err(error) => return Err(error),
        }
    }
    if response.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed without an answer"));
    }
    answer(&response).ok_or_else(|| io::Error::other("the answer does not come from `cargo kcl`"))
}

/// The error of an answer that does not arrive in time.
fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

fn answer(response: &[u8]) -> Option<Answer> {
    let end = memchr::memmem::find(response, b"\r\n\r\n")?;
    let code = std::str::from_utf8(&response[..end]).ok()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = String::from_utf8(response[end + 4..].to_vec()).ok()?;
    Some(Answer { code, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_an_answer_does_not_grow_with_its_parts() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let dripping = std::thread::spawn(move || {
            while theirs.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let error = exchange(ours, "/", Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        dripping.join().unwrap();
    }

    #[test]
    fn runs_are_named_once_with_their_processes() {
        let error = |runs: &[(&str, u32)]| ambiguous(runs.iter().copied()).to_string();
        assert_eq!(
            error(&[("b", 3), ("a", 1), ("a", 2)]),
            "several runs are active; name one of them with --app: a (process ids 1, 2), b (process id 3)"
        );
        assert_eq!(
            error(&[("a", 1), ("a", 2)]),
            "several runs are active: a (process ids 1, 2); give the --metrics address of one of them with --address"
        );
    }

    #[test]
    fn only_a_response_is_an_answer() {
        let read = |text: &str| answer(text.as_bytes()).map(|Answer { code, body }| (code, body));
        assert_eq!(read("HTTP/1.1 503 No\r\nA: b\r\n\r\nx\r\n\r\ny"), Some((503, "x\r\n\r\ny".to_owned())));
        for text in ["", "HTTP/1.1 200 OK", "HTTP/1.1 x\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 20\u{e9}\r\n\r\n"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
