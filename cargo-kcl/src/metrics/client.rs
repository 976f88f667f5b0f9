//! Requests to a run, for `health` and `top`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::options::{Address, RunOptions};
use super::{folder, state::State};
use crate::report;

/// The longest response that is read.
const LONGEST: u64 = 256 << 20;

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{} cannot be read: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("nothing answers at {address}: {error}", address = .address.0)]
    Address { address: Address, error: io::Error },
    #[error("no `cargo kcl local` or `cargo kcl daemon` of this user is running{}; in the clone, only runs with --metrics are found", .0.as_ref().map_or(String::new(), |app| format!(" as `{}`", report::excerpt(app))))]
    Nothing(Option<String>),
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

    /// Asks the run for a path.
    pub(crate) fn ask(&self, path: &str, patience: Duration) -> Result<Answer, ClientError> {
        match self {
            Self::At(address) => {
                let connect = || {
                    let stream = TcpStream::connect_timeout(&address.0, patience)?;
                    stream.set_read_timeout(Some(patience))?;
                    stream.set_write_timeout(Some(patience))?;
                    exchange(stream, path)
                };
                connect().map_err(|error| ClientError::Address { address: *address, error })
            }
            Self::Of(application) => {
                let socket = find(application.as_deref(), patience)?;
                ask_socket(&socket, path, patience).map_err(ClientError::Answer)
            }
        }
    }
}

/// The states of all runs of this user on this machine that answer. There may be none.
#[cfg(feature = "aws")]
pub(crate) fn states(patience: Duration) -> Vec<State> {
    let state = |socket: PathBuf| -> Option<State> {
        let answer = ask_socket(&socket, "/state", patience).ok()?;
        serde_json::from_str(&answer.body).ok()
    };
    folder::running(&folder::path()).unwrap_or_default().into_iter().filter_map(state).collect()
}

/// The socket of the run of an application, or of the only run.
fn find(application: Option<&str>, patience: Duration) -> Result<PathBuf, ClientError> {
    let path = folder::path();
    let sockets = folder::running(&path).map_err(|error| ClientError::Folder { path, error })?;
    // A run that has just ended does not answer.
    let named = sockets.into_iter().filter_map(|socket| {
        let answer = ask_socket(&socket, "/about", patience).ok()?;
        let state: State = serde_json::from_str(&answer.body).ok()?;
        Some((state.application, socket))
    });
    let mut named: Vec<_> =
        named.filter(|(name, _)| application.is_none_or(|application| application == name)).collect();
    match (named.pop(), application) {
        (Some((_, socket)), _) if named.is_empty() => Ok(socket),
        (None, _) => Err(ClientError::Nothing(application.map(str::to_owned))),
        (Some(_), Some(application)) => Err(ClientError::SeveralOf(application.to_owned())),
        (Some((last, _)), None) => {
            let names = named.into_iter().map(|(name, _)| name).chain([last]);
            Err(ClientError::Several(names.map(|name| report::excerpt(&name)).collect()))
        }
    }
}

fn ask_socket(socket: &Path, path: &str, patience: Duration) -> io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    exchange(stream, path)
}

/// Sends a request and reads the response to its end.
fn exchange(mut stream: impl Read + Write, path: &str) -> io::Result<Answer> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut response = Vec::new();
    stream.take(LONGEST).read_to_end(&mut response)?;
    answer(&response).ok_or_else(|| io::Error::other("the answer does not come from `cargo kcl`"))
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
    fn only_a_response_is_an_answer() {
        let read = |text: &str| answer(text.as_bytes()).map(|Answer { code, body }| (code, body));
        assert_eq!(read("HTTP/1.1 503 No\r\nA: b\r\n\r\nx\r\n\r\ny"), Some((503, "x\r\n\r\ny".to_owned())));
        for text in ["", "HTTP/1.1 200 OK", "HTTP/1.1 x\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 20\u{e9}\r\n\r\n"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
