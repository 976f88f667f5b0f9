//! Requests to a run, for `health` and `top`.

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

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{} cannot be read: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("nothing answers at {address}: {error}", address = .address.0)]
    Address { address: Address, error: io::Error },
    #[error("no `cargo kcl local` or `cargo kcl daemon` of this user is running{}, unless the tool of the clone runs it without --metrics", .0.as_ref().map_or(String::new(), |app| format!(" as `{}`", report::excerpt(app))))]
    Nothing(Option<String>),
    #[error("the `cargo kcl` with process id {} does not answer: {error}; it is stopped, or the machine is overloaded", report::excerpt(.process))]
    Silent { process: String, error: io::Error },
    #[error("several runs are active; name one of them with --app: {}", .0.join(", "))]
    Several(Vec<String>),
    #[error("several runs of `{}` are active; give the --metrics address of one of them with --address", report::excerpt(.0))]
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
                // A run that does not answer leaves time for the one that is meant.
                let socket = find(application.as_deref(), Instant::now() + patience / 2)?;
                let answers = ask_all(vec![socket], path, deadline);
                let (_, answer) = answers.into_iter().next().ok_or(ClientError::Nothing(application.clone()))?;
                answer.map_err(ClientError::Answer)
            }
        }
    }
}

/// The states of all runs of this user on this machine that answer. There may be none.
#[cfg(feature = "aws")]
pub(crate) fn states(patience: Duration) -> Vec<State> {
    let sockets = folder::sockets(&folder::path()).unwrap_or_default();
    let answers = ask_all(sockets, "/state", Instant::now() + patience);
    answers.into_iter().filter_map(|(_, answer)| serde_json::from_str(&answer.ok()?.body).ok()).collect()
}

/// The socket of the run of an application, or of the only run.
fn find(application: Option<&str>, deadline: Instant) -> Result<PathBuf, ClientError> {
    let path = folder::path();
    let sockets = folder::sockets(&path).map_err(|error| ClientError::Folder { path, error })?;
    let (mut named, mut silent) = (Vec::new(), None);
    for (socket, answer) in ask_all(sockets, "/about", deadline) {
        match answer.map(|answer| serde_json::from_str::<State>(&answer.body)) {
            Ok(Ok(state)) if application.is_none_or(|name| name == state.application) => {
                named.push((state.application, socket));
            }
            Ok(_) => {}
            Err(error) => silent = Some((socket, error)),
        }
    }
    match (named.pop(), application, silent) {
        (Some((_, socket)), _, _) if named.is_empty() => Ok(socket),
        (None, _, Some((socket, error))) => {
            let process = socket.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Err(ClientError::Silent { process, error })
        }
        (None, _, None) => Err(ClientError::Nothing(application.map(str::to_owned))),
        (Some(_), Some(application), _) => Err(ClientError::SeveralOf(application.to_owned())),
        (Some((last, _)), None, _) => {
            let names = named.into_iter().map(|(name, _)| name).chain([last]);
            Err(ClientError::Several(names.map(|name| report::excerpt(&name)).collect()))
        }
    }
}

/// Asks the runs at these sockets side by side. Those that have ended are left out.
fn ask_all(sockets: Vec<PathBuf>, path: &str, deadline: Instant) -> Vec<(PathBuf, io::Result<Answer>)> {
    let (sender, answers) = channel();
    for socket in &sockets {
        let (sender, socket, path) = (sender.clone(), socket.clone(), path.to_owned());
        // The connection itself may take forever, if the run is stopped and many others ask it.
        let asked = threads::spawn(move || {
            let answer = folder::connect(&socket).map(|stream| exchange(stream?, &path, deadline));
            _ = sender.send((socket, answer));
        });
        if asked.is_err() {
            break;
        }
    }
    drop(sender);
    let mut left = sockets;
    let mut found = Vec::new();
    while let Ok((socket, answer)) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        left.retain(|other| *other != socket);
        found.extend(answer.map(|answer| (socket, answer)));
    }
    found.extend(left.into_iter().map(|socket| (socket, Err(late()))));
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
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
    fn only_a_response_is_an_answer() {
        let read = |text: &str| answer(text.as_bytes()).map(|Answer { code, body }| (code, body));
        assert_eq!(read("HTTP/1.1 503 No\r\nA: b\r\n\r\nx\r\n\r\ny"), Some((503, "x\r\n\r\ny".to_owned())));
        for text in ["", "HTTP/1.1 200 OK", "HTTP/1.1 x\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 20\u{e9}\r\n\r\n"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
